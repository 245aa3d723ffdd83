"""Finds the scale and the bias that make an adapter's reading of relevance a probability.

    python calibrate.py --base base.gguf --adapter run/adapter.safetensors --data DIR

Reads held-out requests of the training files (prompts in blocks), fits a logistic regression to one half of
them and shows on the other half how far the probabilities are from the shares of relevant candidates. Then
export.py --relevance SCALE BIAS writes both into the adapter.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from peft import set_peft_model_state_dict
from safetensors.torch import load_file

from base_model import add_adapter, head_logits, hidden_states, load_base
from examples import judgements, read_requests, split, unlisted_relevance
from prompt import PromptBuilder
from tokenizer import load_tokenizer

BINS = 10


def fit(readings: np.ndarray, relevant: np.ndarray) -> tuple[float, float]:
    """Scale and bias of the most likely logistic regression, by Newton's method, slightly regularised."""
    inputs = np.stack([readings, np.ones_like(readings)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        p = probabilities(readings, *weights)
        gradient = inputs.T @ (p - relevant) + 1e-3 * weights
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs + 1e-3 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[0]), float(weights[1])


def probabilities(readings: np.ndarray, scale: float, bias: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(scale * readings + bias)))


def calibration_error(p: np.ndarray, relevant: np.ndarray) -> float:
    """The expected calibration error over BINS bins of equal width."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    return sum(
        (bins == b).mean() * abs(p[bins == b].mean() - relevant[bins == b].mean())
        for b in range(BINS)
        if (bins == b).any()
    )


def area_under_roc(readings: np.ndarray, relevant: np.ndarray) -> float:
    """The share of pairs of a relevant and another candidate that the reading puts in the right order."""
    yes, no = readings[relevant > 0], readings[relevant == 0]
    return float((yes[:, None] > no[None, :]).mean() + 0.5 * (yes[:, None] == no[None, :]).mean())


def read_all(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Readings, labels (1 relevant, 0 not) and the numbers of the requests, candidate by candidate."""
    prompts = PromptBuilder(load_tokenizer(options.base), layout="blocks")
    yes_no = [prompts.encode(word)[0] for word in (" yes", " no")]
    model = add_adapter(load_base(options.base), options.rank, options.alpha)
    set_peft_model_state_dict(model, {name: t.float() for name, t in load_file(options.adapter).items()})
    model.eval()
    readings, relevant, numbers = [], [], []
    for name in options.sets:
        requests = read_requests(options.data / f"{name}-train.jsonl")
        unlisted = unlisted_relevance(requests)
        _, held_out = split(requests)
        for request in random.Random(1).sample(held_out, min(len(held_out), options.limit)):
            prompt = prompts.build(request)
            with torch.inference_mode():
                hidden = hidden_states(model, prompt, [])[prompt.places()]
                yes, no = head_logits(model, hidden, yes_no).unbind(-1)
            of_request = judgements(request, unlisted)
            known = ~np.isnan(of_request)
            readings.append((yes - no).numpy()[known])
            relevant.append(of_request[known])
            numbers.append(np.full(len(relevant[-1]), len(numbers)))
    return np.concatenate(readings), np.concatenate(relevant), np.concatenate(numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", type=Path, required=True, help="GGUF model")
    parser.add_argument("--adapter", type=Path, required=True, help="safetensors, as train.py saves it")
    parser.add_argument("--data", type=Path, required=True, help="folder of the *-train.jsonl files")
    parser.add_argument("--sets", nargs="+", default=["quora", "msmarco-dl-bm25"])
    parser.add_argument("--limit", type=int, default=30, help="requests of each set")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--alpha", type=int, default=64)
    options = parser.parse_args()
    readings, relevant, numbers = read_all(options)
    first = numbers % 2 == 0
    scale, bias = fit(readings[first], relevant[first])
    p = probabilities(readings[~first], scale, bias)
    print(f"other half: calibration error {calibration_error(p, relevant[~first]):.3f}, "
          f"area under ROC {area_under_roc(readings[~first], relevant[~first]):.3f}")  # fmt: skip
    scale, bias = fit(readings, relevant)
    print(f"--relevance {scale:.4f} {bias:.4f}")


if __name__ == "__main__":
    main()
