#!/usr/bin/env python3
"""Writes tests/fixtures/blocks.json: prompts in blocks through a plain forward pass of a Llama in NumPy.

    pip install -r tools/make_tiny_models.requirements.txt
    python tools/make_block_fixtures.py --rsd build/release/rsd tests/models/tiny-bpe.gguf tests/fixtures/blocks.json

The tokens come from `rsd prompt render`; positions, who sees whom, and all arithmetic (float64) are computed
here: one sequence of tokens with explicit positions and an explicit mask, no cache, no batches, nothing of
llama.cpp. The same model gives the same numbers, rounded to 6 digits.
"""

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

import gguf
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
WORDS = "cat honey bees Paris rain a red house chess old music tea sound the sea".split()


class Llama:
    """A dense Llama whose weights are float32."""

    def __init__(self, path: Path):
        reader = gguf.GGUFReader(path)

        def field(name: str, otherwise=None):
            found = reader.fields.get(f"llama.{name}")
            return found.contents() if found else otherwise

        self.heads, self.kv_heads = field("attention.head_count"), field("attention.head_count_kv")
        self.layers, self.eps = field("block_count"), field("attention.layer_norm_rms_epsilon")
        self.base = field("rope.freq_base", 10000.0)
        self.weights = {t.name: np.array(t.data, np.float64) for t in reader.tensors}

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.weights[name]

    def rotate(self, x: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Rotary embedding of [tokens, heads, width], in pairs of neighbours as GGUF orders them."""
        half = x.shape[-1] // 2
        angles = positions[:, None] * self.base ** (-np.arange(half) / half)
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        even, odd = x[..., ::2], x[..., 1::2]
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)

    def attention(self, x: np.ndarray, layer: str, positions: np.ndarray, mask: np.ndarray) -> np.ndarray:
        q, k, v = (x @ self.weights[f"{layer}.attn_{part}.weight"].T for part in "qkv")
        n = len(x)
        q = self.rotate(q.reshape(n, self.heads, -1), positions)
        k = self.rotate(k.reshape(n, self.kv_heads, -1), positions)
        shared = self.heads // self.kv_heads
        k, v = (np.repeat(t.reshape(n, self.kv_heads, -1), shared, 1) for t in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])
        scores = np.where(mask, scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        out = np.einsum("hqk,khd->qhd", shares, v).reshape(n, -1)
        return out @ self.weights[f"{layer}.attn_output.weight"].T

    def logits(self, tokens: list[int], positions: list[int], mask: np.ndarray) -> np.ndarray:
        x = self.weights["token_embd.weight"][tokens]
        where = np.array(positions, np.float64)
        for number in range(self.layers):
            layer = f"blk.{number}"
            x = x + self.attention(self.norm(x, f"{layer}.attn_norm.weight"), layer, where, mask)
            h = self.norm(x, f"{layer}.ffn_norm.weight")
            gate = h @ self.weights[f"{layer}.ffn_gate.weight"].T
            up = h @ self.weights[f"{layer}.ffn_up.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ self.weights[f"{layer}.ffn_down.weight"].T
        return self.norm(x, "output_norm.weight") @ self.weights["output.weight"].T


def laid_out(line: dict, answer: list[int]) -> tuple[list[int], list[int], np.ndarray]:
    """Tokens, positions and mask of a rendered prompt with an answer after it."""
    sizes: dict[tuple, int] = {}
    blocks: list[tuple] = []
    for block in line["blocks"]:
        key = (block["kind"], block.get("candidate"))
        sizes[key] = block["tokens"]
        blocks += [key] * block["tokens"]
    head, query = sizes["head", None], sizes["query", None]
    end = head + max(query, *(n for (kind, _), n in sizes.items() if kind == "candidate"))
    n_identifier = next(n for (kind, _), n in sizes.items() if kind == "identifier")
    starts = {"head": 0, "candidate": head, "query": head, "tail": end + n_identifier}
    for (kind, candidate), _ in sizes.items():
        if kind == "identifier":
            starts[kind, candidate] = head + max(query, sizes["candidate", candidate])
    positions: list[int] = []
    for (kind, candidate), n in sizes.items():
        start = starts.get(kind, starts.get((kind, candidate)))
        positions += range(start, start + n)
    blocks += [("tail", None)] * len(answer)
    positions += range(positions[-1] + 1, positions[-1] + 1 + len(answer))
    mask = np.zeros((len(blocks), len(blocks)), bool)
    for i, (kind, candidate) in enumerate(blocks):
        for j, (other, its) in enumerate(blocks):
            sees = other == "head" or (kind == "identifier" and other == "candidate" and its == candidate)
            sees |= kind in ("identifier", "tail") and other == "query"
            sees |= kind == "tail" and other == "identifier"
            own = (kind, candidate) == (other, its)
            mask[i, j] = j <= i if own else sees
    return line["tokens"] + answer, positions, mask


def requests(generator: random.Random) -> list[dict]:
    found = []
    for number, n_items in enumerate([2, 7, 31]):
        texts = [" ".join(generator.choices(WORDS, k=generator.choice([1, 2, 3, 5, 40]))) for _ in range(n_items)]
        candidates = [{"id": f"d{i}", "text": text} for i, text in enumerate(texts)]
        found.append({"id": f"r{number}", "query": " ".join(generator.choices(WORDS, k=1 + 4 * number)),
                      "candidates": candidates})  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rsd", type=Path, required=True)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    generator = random.Random(20260)
    asked = requests(generator)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(r) + "\n" for r in asked)
        file.flush()
        command = [options.rsd, "prompt", "render", "--requests", file.name, "--model", options.model,
                   "--prompt-template", ROOT / "templates" / "blocks-passage.yaml"]  # fmt: skip
        rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    model = Llama(options.model)
    cases = []
    for request, text in zip(asked, rendered.splitlines(), strict=True):
        line = json.loads(text)
        identifiers = [i["token"] for i in line["identifiers"]]
        proposal = generator.sample(range(len(identifiers)), len(identifiers))
        tokens, positions, mask = laid_out(line, [identifiers[i] for i in proposal[:-1]])
        rows = model.logits(tokens, positions, mask)[len(line["tokens"]) - 1 :, identifiers]
        cases.append({"request": request, "tokens": line["tokens"], "proposal": proposal,
                      "logits": [[float(f"{z:.6g}") for z in row] for row in rows]})  # fmt: skip
    options.out.write_text(json.dumps({"model": options.model.name, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
