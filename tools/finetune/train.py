"""Trains a ranking adapter (LoRA) for a GGUF model, on the CPU or on one GPU.

    python train.py --base base.gguf --data DIR --out run/ --minutes 120 [--init adapter.safetensors]

Run again with the same --out, it continues from the last checkpoint. The learning rate follows the
elapsed time, so that a slower machine completes its schedule, too. Training files only:
DIR/NAME-train.jsonl for each of --sets; the last requests of each validate.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

import numpy as np
import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

import export
from base_model import add_adapter, head_logits, identifier_logits, load_base, shared_hidden_states
from crew import Alone, Crew
from examples import (
    HELD_OUT,
    LONG_CHARS,
    MAX_ITEMS,
    MIN_ITEMS,
    Example,
    PassageSource,
    RecommendationSource,
    draw_order,
    is_recommendation,
    labels,
    read_requests,
    split,
)
from losses import first_position_loss, listwise_loss, relevance_loss
from precision import autocast, fast_bf16
from prompt import Prompt, PromptBuilder
from teacher import Embedder, RecommendationWeights
from tokenizer import load_tokenizer

DATASETS = {"quora": 0.36, "msmarco-dl-bm25": 0.24, "games": 0.28, "ml1m": 0.12}  # share of examples
LABEL_WEIGHT = {"msmarco-dl-bm25": 0.08}  # in cosine, per grade: of passages with several grades
USUAL_LABEL_WEIGHT = 0.3
# Titles of games are descriptive; those of films hardly are. Other sets have the weights of games.
RECOMMENDATION_WEIGHTS = {
    "ml1m": RecommendationWeights(popularity=0.2, similarity=0.2),
}
TEMPERATURE = 0.2  # of the teacher, in standard deviations
PAIRWISE_WEIGHT = 0.5
SKIPPING = 0.15  # share of the lists in blocks that leave identifiers out


def share(text: str) -> tuple[str, float]:
    """NAME=SHARE of a data set."""
    name, _, value = text.partition("=")
    if not name or not 0 < float(value) < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: not NAME=SHARE with a share above 0")
    return name, float(value)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", type=Path, required=True, help="GGUF model")
    parser.add_argument("--data", type=Path, required=True, help="folder of the *-train.jsonl files")
    parser.add_argument("--sets", type=share, nargs="+", default=list(DATASETS.items()), metavar="NAME=SHARE",
                        help="files NAME-train.jsonl and their shares of the examples, in any unit")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, adapter, metrics")
    parser.add_argument("--init", type=Path, help="adapter to start from: safetensors, or GGUF as export.py writes it")
    parser.add_argument("--minutes", type=float, default=60, help="time to train, over all runs")
    parser.add_argument("--layout", choices=("sequence", "blocks"), default="sequence", help="of the prompts")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--alpha", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=4e-4)
    parser.add_argument("--batch", type=int, default=8, help="lists per step, each with one query or more")
    parser.add_argument("--max-tokens", type=int, default=1100, help="of a usual example")
    parser.add_argument("--queries", type=int, default=4,
                        help="of a list in blocks, at most: its texts are encoded once")
    parser.add_argument("--relevance-weight", type=float, default=0.1,
                        help="of the loss of reading each candidate's relevance, in blocks")
    parser.add_argument("--threads", type=int, default=2, help="on the CPU: processes of one thread each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", choices=("auto", "bf16", "f32"), default="auto")
    parser.add_argument("--device", default="auto", help="cpu or cuda; auto takes a GPU where there is one")
    return parser.parse_args()


class Data:
    """The training files, what is held out of them, and the teachers."""

    def __init__(self, folder: Path, shares: dict[str, float], embedder: Embedder):
        self.shares = shares
        self.held_out: dict[str, list[dict]] = {}
        self.sources: dict[str, PassageSource | RecommendationSource] = {}
        for name in shares:
            requests = read_requests(folder / f"{name}-train.jsonl")
            fit, self.held_out[name] = split(requests)
            if is_recommendation(requests):
                weights = RECOMMENDATION_WEIGHTS.get(name, RecommendationWeights())
                self.sources[name] = RecommendationSource(fit, embedder, weights)
            else:
                weight = LABEL_WEIGHT.get(name, USUAL_LABEL_WEIGHT)
                self.sources[name] = PassageSource(fit, embedder, weight)
        embedder.save()

    def draw(self, rng: random.Random, max_tokens: int, n_queries: int = 1) -> list[Example]:
        """Examples of the same candidates, `n_queries` or fewer."""
        name = rng.choices(list(self.shares), list(self.shares.values()))[0]
        n_items = round(rng.triangular(MIN_ITEMS, MAX_ITEMS, 20))
        budget = max_tokens * rng.choices((1, 2, 4), (0.88, 0.1, 0.02))[0]
        max_chars = rng.choice((120, 250, 500, LONG_CHARS))
        if self.sources[name].long:  # fewer of them, 4.3 characters a token
            chars = max_chars if max_chars == LONG_CHARS else min(max_chars, 330)
            n_items = max(MIN_ITEMS, min(n_items, int(budget * 4.3 / chars)))
        return self.sources[name].draw(rng, n_items, max_chars, n_queries)


class Trainer:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.device = options.device
        bf16 = options.dtype == "bf16" or (options.dtype == "auto" and fast_bf16(self.device))
        self.autocast = lambda: autocast(self.device, bf16)
        threads = f", {options.threads} threads" if self.device == "cpu" else ""
        print(f"seed {options.seed}, {self.device}, {'bf16' if bf16 else 'f32'}{threads}", flush=True)
        self.prompts = PromptBuilder(load_tokenizer(options.base), layout=options.layout)
        self.yes_no = [self.prompts.encode(word)[0] for word in (" yes", " no")]
        base = load_base(options.base, torch.bfloat16 if bf16 else torch.float32)
        torch.manual_seed(options.seed)
        self.model = add_adapter(base, options.rank, options.alpha).to(self.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        for parameter in self.parameters:
            parameter.data = parameter.data.float()
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=options.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=0.01,
            fused=True,  # else a step of few examples is mostly this
        )
        self.spent = 0.0  # seconds
        self.step = 0
        self.examples = 0

    def draw(self, data: Data, rng: random.Random) -> list[Example]:
        n_queries = 1 if self.options.layout == "sequence" else self.options.queries
        return data.draw(rng, self.options.max_tokens, n_queries)

    def loss(self, examples: list[Example], rng: random.Random) -> torch.Tensor:
        """The mean joint loss of examples of the same candidates; `rng` draws the orders that are fed in."""
        skip = self.skipped_identifiers(rng)
        prompts = [self.prompts.build(example.request, skip) for example in examples]
        orders = [draw_order(rng, example.teacher, TEMPERATURE) for example in examples]
        answers = [
            [prompt.identifiers[i] for i in order[:-2]] for prompt, order in zip(prompts, orders, strict=True)
        ]
        with self.autocast():
            hidden = shared_hidden_states(self.model, prompts, answers)
        losses = [self.loss_of(*each) for each in zip(examples, prompts, orders, hidden, strict=True)]
        return torch.stack(losses).mean()

    def loss_of(
        self, example: Example, prompt: Prompt, order: list[int], hidden: torch.Tensor
    ) -> torch.Tensor:
        logits = head_logits(self.model, hidden[len(prompt.tokens) - 1 :], prompt.identifiers)
        teacher = torch.from_numpy(example.teacher).float().to(self.device)
        loss = listwise_loss(logits, teacher, order, TEMPERATURE)
        loss = loss + PAIRWISE_WEIGHT * first_position_loss(logits[0], teacher)
        if prompt.blocks and self.options.relevance_weight:
            yes, no = head_logits(self.model, hidden[prompt.places()], self.yes_no).unbind(-1)
            relevant = torch.from_numpy(example.relevant).float().to(self.device)
            loss = loss + self.options.relevance_weight * relevance_loss(yes - no, relevant, teacher)
        return loss

    def skipped_identifiers(self, rng: random.Random) -> int:
        """Blocks take long lists, so identifiers beyond the first two dozens are trained, too."""
        if self.options.layout == "sequence" or rng.random() >= SKIPPING:
            return 0
        return rng.randrange(len(self.prompts.identifiers) - 2 * MAX_ITEMS)

    def learning_rate(self) -> float:
        """Linear warm-up over 20 steps, then a cosine over the time that is given, to 3 %."""
        done = min(1.0, self.spent / (60 * self.options.minutes))
        return (
            self.options.learning_rate
            * min(1.0, (self.step + 1) / 20)
            * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * done)))
        )

    def workers(self, data: Data) -> Alone | Crew:
        """Call `load` first. Each example has its own generator, whichever worker computes it."""

        def loss(number: int) -> torch.Tensor:
            rng = random.Random(f"{self.options.seed}/{number}")
            return self.loss(self.draw(data, rng), rng) / self.options.batch

        if self.device == "cpu":
            return Crew(self.options.threads, self.parameters, loss)
        return Alone(loss)

    def train_step(self, workers: Alone | Crew) -> dict:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        total = sum(workers.add_gradients(range(self.examples, self.examples + self.options.batch)))
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        if torch.isfinite(norm):  # else the step would spoil every weight
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.examples += self.options.batch
        return {"loss": total, "gradient_norm": norm.item(), "learning_rate": self.learning_rate()}

    def save(self) -> None:
        adapter = {name: t.cpu() for name, t in get_peft_model_state_dict(self.model).items()}
        replace(self.options.out / "adapter.safetensors", lambda f: save_file(adapter, f))
        state = {
            "adapter": adapter,
            "optimizer": self.optimizer.state_dict(),
            "counters": (self.spent, self.step, self.examples),
        }
        replace(self.options.out / "checkpoint.pt", lambda f: torch.save(state, f))

    def load(self) -> None:
        checkpoint = self.options.out / "checkpoint.pt"
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=False, map_location="cpu")
            set_peft_model_state_dict(self.model, state["adapter"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.spent, self.step, self.examples = state["counters"]
        elif self.options.init:
            adapter = self.read_adapter(self.options.init)
            result = set_peft_model_state_dict(self.model, adapter)
            if result.unexpected_keys:
                raise ValueError(f"{self.options.init}: unknown tensors {result.unexpected_keys[:3]}")

    def read_adapter(self, path: Path) -> dict[str, torch.Tensor]:
        if path.suffix != ".gguf":
            return {name: tensor.float() for name, tensor in load_file(path).items()}
        config = self.model.config
        heads = (config.num_attention_heads, config.num_key_value_heads)
        return {name: torch.from_numpy(a) for name, a in export.read(path, heads).items()}


def replace(path: Path, write) -> None:
    """Atomic: written next to `path`, then renamed."""
    partial = path.with_suffix(".partial")
    write(partial)
    os.replace(partial, path)


def reopened(path: Path, step: int):
    """The metrics up to the checkpoint; later lines will be written again."""
    kept = []
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            kept = [line for line in lines if json.loads(line)["step"] <= step]
    replace(path, lambda f: f.write_text("".join(kept), encoding="utf-8"))
    return path.open("a", encoding="utf-8")


def validate(trainer: Trainer, data: Data, per_dataset: int = 12) -> dict:
    """First-position MRR and Recall@1 on held-out training requests, shuffled with a fixed seed."""
    figures = {}
    trainer.model.eval()
    for name, requests in data.held_out.items():
        reciprocal, first = [], []
        for number, request in enumerate(requests[:per_dataset]):
            shuffled = dict(request, candidates=list(request["candidates"]))
            random.Random(number).shuffle(shuffled["candidates"])
            if data.sources[name].long:  # time
                shuffled["candidates"] = shuffled["candidates"][:10]
            relevant = labels(shuffled) > 0
            if not relevant.any():
                continue
            prompt = trainer.prompts.build(shuffled)
            with torch.inference_mode(), trainer.autocast():
                logits = identifier_logits(trainer.model, prompt, [])[0]
            order = torch.argsort(logits, descending=True).tolist()
            rank = next(r for r, i in enumerate(order) if relevant[i])
            reciprocal.append(1 / (1 + rank))
            first.append(rank == 0)
        if not first:
            continue
        figures[name] = {"mrr": float(np.mean(reciprocal)), "recall@1": float(np.mean(first))}
    trainer.model.train()
    return figures


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    data = Data(options.data, dict(options.sets), Embedder(options.out / "embeddings.npz", options.device))
    trainer = Trainer(options)
    trainer.load()
    workers = trainer.workers(data)
    metrics = reopened(options.out / "metrics.jsonl", trainer.step)

    def record(entry: dict) -> None:
        entry = {"minutes": trainer.spent / 60, "step": trainer.step, "examples": trainer.examples, **entry}
        print(json.dumps(entry), file=metrics, flush=True)
        shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in entry.items()}
        print(json.dumps(shown), flush=True)

    saved = validated = trainer.spent
    # A continued run may have other options than the original one.
    record({"options": {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}})
    if trainer.step == 0:
        record({"validation": validate(trainer, data)})
    while trainer.spent < 60 * options.minutes:
        start = time.monotonic()
        entry = trainer.train_step(workers)
        trainer.spent += time.monotonic() - start
        record(entry)
        if trainer.spent - saved > 150:
            trainer.save()
            saved = trainer.spent
        if trainer.spent - validated > 1200:
            record({"validation": validate(trainer, data)})
            validated = trainer.spent
    trainer.save()
    record({"validation": validate(trainer, data, per_dataset=HELD_OUT // 2)})


if __name__ == "__main__":
    main()
