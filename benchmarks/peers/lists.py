"""The requests, cut and joined to sizes, and the lists that make their candidates known beforehand."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Request = dict[str, Any]

SEED = 1
# To begin with; the LLM's tokens are counted afterwards.
TOKENS_OF_A_WORD = 1.3


def read(path: Path, limit: int) -> list[Request]:
    """The first requests, their candidates shuffled."""
    order = random.Random(SEED)
    requests = []
    with path.open(encoding="utf-8") as lines:
        for _, line in zip(range(limit), lines):
            request = json.loads(line)
            order.shuffle(request["candidates"])
            requests.append(request)
    return requests


def resized(request: Request, count: int, words: int) -> Request:
    """With fewer candidates and shorter texts."""
    cut = [{**c, "text": " ".join(c["text"].split()[:words])} for c in request["candidates"][:count]]
    return {**request, "id": f"{request['id']}-{count}-{words}", "candidates": cut}


def merged(requests: list[Request], count: int) -> Request:
    """The first request with the candidates of all, up to `count`; only its own can be relevant."""
    candidates: dict[str, Any] = {}
    for request in requests:
        for candidate in request["candidates"]:
            candidates.setdefault(candidate["id"], candidate)
    chosen = list(candidates.values())[:count]
    random.Random(SEED).shuffle(chosen)
    return {**requests[0], "candidates": chosen}


def of_tokens(requests: list[Request], tokens: int, others: list[str], count: Callable[[list[Request]], list[list[int]]]) -> list[Request]:
    """With texts of about so many tokens: longer ones are cut, shorter ones go on with `others`.
    `count` gives the tokens of each candidate's text."""
    more = itertools.cycle(others)
    words = [[_lengthened(c["text"].split(), more, tokens) for c in r["candidates"]] for r in requests]
    lengths = [[max(1, round(tokens / TOKENS_OF_A_WORD))] * len(of_list) for of_list in words]
    for _ in range(2):
        found = count(_cut(requests, words, lengths))
        lengths = [[max(1, round(length * tokens / size)) for length, size in zip(*pair, strict=True)] for pair in zip(lengths, found, strict=True)]
    return _cut(requests, words, lengths)


def _lengthened(words: list[str], more: Iterator[str], at_least: int) -> list[str]:
    while len(words) < at_least:
        words = words + next(more).split()
    return words


def _cut(requests: list[Request], words: list[list[list[str]]], lengths: list[list[int]]) -> list[Request]:
    cut = []
    for request, of_list, sizes in zip(requests, words, lengths, strict=True):
        texts = [" ".join(text[:size]) for text, size in zip(of_list, sizes, strict=True)]
        cut.append({**request, "candidates": [{**c, "text": text} for c, text in zip(request["candidates"], texts, strict=True)]})
    return cut


def primers(requests: list[Request], share: float, queries: list[Request]) -> list[Request]:
    """Lists that hold this share of each request's candidates, those of several requests mixed and at most half a list
    together, asked with the queries or histories of `queries`. The last one repeats the candidates of the first two, so
    that a list of full size has been ranked, too."""
    order = random.Random(SEED)
    known = [order.sample(r["candidates"], round(share * len(r["candidates"]))) for r in requests]
    mixed = [c for row in itertools.zip_longest(*known) for c in row if c is not None]
    unique = list({c["text"]: c for c in mixed}.values())
    size = max(1, round(share * max(len(r["candidates"]) for r in requests)) // 2)
    lists = [unique[start : start + size] for start in range(0, len(unique), size)]
    lists.append([c for members in lists[:2] for c in members])
    asked = itertools.cycle(queries)
    return [_primer(next(asked), n, members) for n, members in enumerate(lists)]


def _primer(asked: Request, number: int, candidates: list[Any]) -> Request:
    """Its candidates' ids are numbers, since those of other requests may be the same."""
    kept = {key: value for key, value in asked.items() if key not in ("candidates", "relevance")}
    renamed = [{"id": str(n), "text": c["text"]} for n, c in enumerate(candidates)]
    return {**kept, "id": f"primer-{number}", "candidates": renamed}


def shuffled(request: Request) -> Request:
    """In an order that differs from the one that `read` made."""
    again = list(request["candidates"])
    random.Random(SEED + 1).shuffle(again)
    return {**request, "candidates": again}
