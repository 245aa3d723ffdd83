#!/usr/bin/env python3
"""Writes tests/fixtures/agent.json: the agent's network, computed by an independent implementation.

    python3 tools/make_agent_fixtures.py     (needs PyTorch: tools/finetune/requirements.txt)

The formulas are those of include/rsd/agent/relevance_network.h, in 64 bits, one input at a time and
without padding; the gradients are autograd's.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch

OUT = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "agent.json"
D_MODEL, N_HEADS, N_LAYERS, D_FEED_FORWARD, N_FEATURES = 8, 2, 2, 6, 52
D_PAIR, N_PAIR = 5, 22
INPUTS = [(5, 3), (4, 1), (2, 2)]  # items, rounds


def shapes() -> dict[str, tuple[int, ...]]:
    d, ff = D_MODEL, D_FEED_FORWARD
    result = {"in.weight": (d, N_FEATURES), "in.bias": (d,)}
    for layer in range(N_LAYERS):
        for part in ("items", "rounds"):
            name = f"layer.{layer}.{part}."
            result[name + "norm"] = (d,)
            if part == "items":
                result[name + "pairs"] = (N_HEADS, N_PAIR)
            result |= {name + projection: (d, d) for projection in ("query", "key", "value", "out")}
        name = f"layer.{layer}.feed_forward."
        result |= {name + "norm": (d,), name + "gate": (ff, d), name + "up": (ff, d), name + "down": (d, ff)}
    result |= {"pairs.weight": (D_PAIR, N_PAIR), "pairs.bias": (D_PAIR,), "pairs.out": (1, D_PAIR)}
    return result | {"out.norm": (d,), "out.weight": (1, d), "out.gain": (1,)}


def normalised(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def attention(x: torch.Tensor, w: dict, name: str, bias: torch.Tensor | None) -> torch.Tensor:
    """x [m, n, d]: m attentions over n tokens each. bias [heads, m, n, n]."""

    def heads(projection: str) -> torch.Tensor:
        y = x @ w[name + projection].T
        return y.unflatten(-1, (N_HEADS, -1)).permute(2, 0, 1, 3)

    query, key, value = heads("query"), heads("key"), heads("value")
    logits = query @ key.transpose(-1, -2) / math.sqrt(D_MODEL / N_HEADS)
    if bias is not None:
        logits = logits + bias
    mixed = torch.softmax(logits, -1) @ value
    return mixed.permute(1, 2, 0, 3).flatten(-2) @ w[name + "out"].T


def duels_won(pairs: torch.Tensor, w: dict) -> torch.Tensor:
    """[n]: what each item wins against the others, in the mean, added up over the rounds."""
    y = (torch.nn.functional.silu(pairs @ w["pairs.weight"].T + w["pairs.bias"]) @ w["pairs.out"].T).squeeze(-1)
    return (y - y.transpose(1, 2)).sum((0, 2)) / (pairs.shape[1] - 1)


def scores(features: torch.Tensor, pairs: torch.Tensor, base: torch.Tensor, w: dict) -> torch.Tensor:
    """features [R, n, F], pairs [R, n, n, P], base [n]."""
    x = features @ w["in.weight"].T + w["in.bias"]
    for layer in range(N_LAYERS):
        items, rounds, feed = (f"layer.{layer}.{part}." for part in ("items", "rounds", "feed_forward"))
        bias = (pairs @ w[items + "pairs"].T).permute(3, 0, 1, 2)
        x = x + attention(normalised(x, w[items + "norm"]), w, items, bias)
        by_item = normalised(x, w[rounds + "norm"]).transpose(0, 1)
        x = x + attention(by_item, w, rounds, None).transpose(0, 1)
        h = normalised(x, w[feed + "norm"])
        x = x + (torch.nn.functional.silu(h @ w[feed + "gate"].T) * (h @ w[feed + "up"].T)) @ w[feed + "down"].T
    return w["out.gain"] * base + duels_won(pairs, w) + (normalised(x[-1], w["out.norm"]) @ w["out.weight"].T).squeeze(-1)


def rounded(tensor: torch.Tensor, digits: int) -> list[float]:
    return [round(value, digits) for value in tensor.flatten().tolist()]


def main() -> None:
    torch.manual_seed(20261124)
    torch.set_default_dtype(torch.float64)

    def draw(*shape: int) -> torch.Tensor:  # what the file says is what is computed with
        return torch.randn(*shape).mul(1000).round().div(1000)

    weights = {name: (0.5 * draw(*shape)).requires_grad_() for name, shape in shapes().items()}
    inputs, total = [], torch.zeros(())
    for n_items, n_rounds in INPUTS:
        features, base, slopes = draw(n_rounds, n_items, N_FEATURES), draw(n_items), draw(n_items)
        pairs = draw(n_rounds, n_items, n_items, N_PAIR)
        result = scores(features, pairs, base, weights)
        total = total + (slopes * result).sum()
        inputs.append(
            {
                "n_items": n_items,
                "n_rounds": n_rounds,
                "features": rounded(features, 3),
                "pairs": rounded(pairs, 3),
                "base": rounded(base, 3),
                "slopes": rounded(slopes, 3),
                "scores": rounded(result.detach(), 7),
            }
        )
    total.backward()
    fixture = {
        "d_model": D_MODEL,
        "n_heads": N_HEADS,
        "n_layers": N_LAYERS,
        "d_feed_forward": D_FEED_FORWARD,
        "d_pair": D_PAIR,
        "inputs": inputs,
        "weights": {name: rounded(w.detach(), 4) for name, w in weights.items()},
        "gradients": {name: rounded(w.grad, 7) for name, w in weights.items()},
    }
    OUT.write_text(json.dumps(fixture, separators=(",", ":")).replace('},"', '},\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
