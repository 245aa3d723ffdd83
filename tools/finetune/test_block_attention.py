"""Attention over what is seen is attention under a mask."""

from __future__ import annotations

import random

import numpy as np
import torch
from block_attention import seen_blocks
from prompt import Block, Prompt, share

HEADS, KV_HEADS, WIDTH = 6, 2, 8


def prompt(rng: random.Random, lengths: list[int], n_query: int) -> Prompt:
    """Of candidates of these lengths, and a query of its own."""
    blocks: list[Block] = []
    n_tokens = 0

    def add(kind: str, n: int, position: int, candidate: int | None = None) -> None:
        nonlocal n_tokens
        blocks.append(Block(kind, n_tokens, n, position, candidate))
        n_tokens += n

    add("head", 3, 0)
    for i, length in enumerate(lengths):
        add("candidate", length, 3, i)
    n_shared = n_tokens
    add("query", n_query, 3)
    for i, length in enumerate(lengths):
        add("identifier", 2, 3 + max(length, n_query), i)
    add("tail", 4, 5 + max(*lengths, n_query))
    own = [rng.randrange(100, 200) for _ in range(n_tokens - n_shared)]
    return Prompt([*range(n_shared), *own], [70 + i for i in range(len(lengths))], blocks)


def under_a_mask(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, visible: np.ndarray) -> torch.Tensor:
    k, v = (each.repeat_interleave(HEADS // KV_HEADS, 1) for each in (k, v))
    scores = 0.5 * torch.einsum("ihd,jhd->hij", q, k)
    scores = scores.masked_fill(~torch.from_numpy(visible), -torch.inf)
    return torch.einsum("hij,jhd->ihd", torch.softmax(scores, -1), v)


def test_seen_blocks_attend_and_learn_as_under_a_mask():
    rng = random.Random(5)
    print("seed 5")
    torch.manual_seed(5)
    for lengths, queries in (([4, 1, 7], [2]), ([3, 3], [1, 6, 2]), ([9], [5, 1])):
        prompts = [prompt(rng, lengths, n_query) for n_query in queries]
        answers = [[70] * rng.randrange(3) for _ in queries]
        shared = share(prompts, answers)
        n = len(shared.tokens)
        inputs = [torch.randn(n, heads, WIDTH, requires_grad=True) for heads in (HEADS, KV_HEADS, KV_HEADS)]
        weights = torch.randn(n, HEADS, WIDTH)
        expected = under_a_mask(*inputs, shared.visible)
        gradients = torch.autograd.grad((weights * expected).sum(), inputs)
        actual = seen_blocks(shared, torch.device("cpu")).attend(*inputs, 0.5)
        torch.testing.assert_close(actual, expected)
        torch.testing.assert_close(torch.autograd.grad((weights * actual).sum(), inputs), gradients)
