"""Training examples, drawn anew each time from the requests of the training files."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from teacher import (
    Cooccurrence,
    Embedder,
    RecommendationWeights,
    recommendation_scores,
    standardised,
)

MIN_ITEMS, MAX_ITEMS = 4, 26
LONG_CHARS = 1000  # the longest texts that are trained on
HELD_OUT = 60  # requests of each file at most: never trained on


@dataclass(frozen=True)
class Example:
    request: dict  # task, query or history, candidates: what PromptBuilder takes
    teacher: np.ndarray  # [K] standardised scores, larger is better
    relevant: np.ndarray  # [K] 1 relevant to the query, 0 not, NaN unknown


def read_requests(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def is_recommendation(requests: list[dict]) -> bool:
    """The first request tells what all of a file are."""
    return bool(requests) and requests[0]["task"] == "recommendation"


def split(requests: list[dict]) -> tuple[list[dict], list[dict]]:
    """What to train on, and the last judged requests, at most a tenth.

    They share no query, however it is spaced or capitalised, and no user, however long the history is;
    and a query that is held out is no candidate of what is trained on either.
    """
    judged = [r for r in requests if labels(r).any()]
    n_held_out = min(HELD_OUT, len(judged) // 10)
    held_out = judged[len(judged) - n_held_out :]
    queries = {plain(r["query"]) for r in held_out if "query" in r}
    histories = [r["history"] for r in held_out if "history" in r]
    fit = [
        dict(r, candidates=[c for c in r["candidates"] if plain(c["text"]) not in queries])
        for r in requests
        if not is_held_out(r, queries, histories)
    ]
    return fit, held_out


def plain(text: str) -> str:
    return " ".join(text.lower().split())


def is_held_out(request: dict, queries: set[str], histories: list[list[str]]) -> bool:
    """True if the request is held out: if its query is, or if its history equals, continues or
    begins one of the held-out histories."""
    if "query" in request:
        return plain(request["query"]) in queries
    own = request["history"]
    return any(own[: len(other)] == other[: len(own)] for other in histories)


def labels(request: dict) -> np.ndarray:
    relevance = request.get("relevance", {})
    return np.array([relevance.get(c["id"], 0) for c in request["candidates"]], float)


def unlisted_relevance(requests: list[dict]) -> float:
    """What a candidate without a judgement is: 0, not relevant, where only relevant ones are listed; NaN, unknown,
    where irrelevant ones are listed too, since judges of pooled results saw but a part of them."""
    lists_irrelevant = any(grade <= 0 for r in requests for grade in r.get("relevance", {}).values())
    return float("nan") if lists_irrelevant else 0.0


def judgements(request: dict, unlisted: float) -> np.ndarray:
    """[K] 1 relevant, 0 not, `unlisted` without a judgement."""
    relevance = request.get("relevance", {})
    return np.array(
        [float(relevance[c["id"]] > 0) if c["id"] in relevance else unlisted for c in request["candidates"]]
    )


def make(
    task: str, context: dict, texts: list[str], teacher: np.ndarray, relevant: np.ndarray
) -> Example:
    candidates = [{"text": text} for text in texts]
    return Example({"task": task, "candidates": candidates, **context}, standardised(teacher), relevant)


class PassageSource:
    """A search request: its own query, one of its texts as the query, or a sentence as the query."""

    def __init__(self, requests: list[dict], embedder: Embedder, label_weight: float):
        self._requests = requests
        self._embedder = embedder
        self._label_weight = label_weight
        self._unlisted = unlisted_relevance(requests)
        self.long = bool(np.median([len(c["text"]) for r in requests for c in r["candidates"]]) > 150)
        embedder.add(r["query"] for r in requests)
        embedder.add(c["text"] for r in requests for c in r["candidates"])

    def real(self, request: dict) -> tuple[str, list[str], np.ndarray]:
        """Query, texts, and what their judgements add to the teacher's scores."""
        texts = [c["text"] for c in request["candidates"]]
        return request["query"], texts, self._label_weight * labels(request)

    def draw(
        self, rng: random.Random, n_items: int, max_chars: int, n_queries: int = 1
    ) -> list[Example]:
        """Up to `n_queries` examples of the same candidates."""
        request = rng.choice(self._requests)
        query, texts, bonus = self.real(request)
        if rng.random() < 0.4:
            query, texts, bonus = self._other_query(rng, request)
        # Only the request's own query was judged. Texts of other requests are about something else.
        judged = query == request["query"]
        foreign = rng.choice((0, 0, n_items // 4))
        texts = [*texts, *self._foreign(rng, request, texts, max(foreign, n_items - len(texts)))]
        bonus = np.pad(bonus, (0, len(texts) - len(bonus)))
        n_foreign = len(texts) - len(request["candidates"])
        keep = choose(rng, self._embedder.cosines(query, texts) + bonus, n_items, max(0, n_foreign))
        own = judgements(request, self._unlisted) if judged else np.full(len(texts) - n_foreign, np.nan)
        relevant = np.concatenate((own, np.zeros(n_foreign)))
        is_foreign = np.arange(len(texts)) >= len(texts) - n_foreign
        texts, bonus, relevant, is_foreign = [texts[i] for i in keep], bonus[keep], relevant[keep], is_foreign[keep]
        if self.long:
            if max_chars == LONG_CHARS:
                texts, bonus = self._joined(rng, request, query, texts, bonus)
                relevant = np.where(bonus > 0, 1.0, relevant)
            # The teacher judges what the LLM gets to read; judgements of the whole still count.
            texts = [t if len(t) <= max_chars else t[:max_chars].rsplit(" ", 1)[0] for t in texts]
        teacher = self._embedder.cosines(query, texts) + bonus
        examples = [make("passage", {"query": query}, texts, teacher, relevant)]
        unjudged = np.where(is_foreign, 0.0, np.nan)
        for other in self._unused_queries(rng, request, [*texts, query], n_queries - 1):
            teacher = self._embedder.cosines(other, texts)
            examples.append(make("passage", {"query": other}, texts, teacher, unjudged))
        return examples

    def _unused_queries(
        self, rng: random.Random, request: dict, used: list[str], n_queries: int
    ) -> list[str]:
        """Texts of the request, or sentences of them, that are in none of `used`; fewer where there are no more."""
        texts = rng.sample(request["candidates"], len(request["candidates"])) if n_queries > 0 else []
        queries: list[str] = []
        for text in (c["text"] for c in texts):
            if len(queries) == n_queries:
                break
            options = sentences(text) if self.long else [text]
            query = rng.choice(options) if options else None
            if query and query not in queries and not any(query in other for other in used):
                queries.append(query)
        return queries

    def _joined(
        self, rng: random.Random, request: dict, query: str, texts: list[str], bonus: np.ndarray
    ) -> tuple[list[str], np.ndarray]:
        """Each text lengthened by its neighbours in the list, to what is rare among these passages."""
        asked, own, values = self.real(request)
        if query != asked:  # another one than was judged
            values = np.zeros(len(own))
        spare = [(t, v) for t, v in zip(own, values, strict=True) if t not in texts and query not in t]
        rng.shuffle(spare)
        joined, best = [], []
        for text, value in zip(texts, bonus, strict=True):
            while spare and len(text) + len(spare[-1][0]) < LONG_CHARS:
                neighbour, its_value = spare.pop()
                text = " ".join(rng.sample((text, neighbour), 2))
                value = max(value, its_value)
            joined.append(text)
            best.append(value)
        return joined, np.array(best)

    def _other_query(self, rng: random.Random, request: dict) -> tuple[str, list[str], np.ndarray]:
        texts = [c["text"] for c in request["candidates"]]
        at = rng.randrange(len(texts))
        if not self.long:
            query, texts = texts[at], [*texts[:at], *texts[at + 1 :], request["query"]]
        else:
            options = sentences(texts[at])
            if len(options) < 2:
                return self.real(request)
            query = rng.choice(options)
            texts[at] = texts[at].replace(query, "").strip()
        return query, texts, np.zeros(len(texts))

    def _foreign(
        self, rng: random.Random, request: dict, texts: list[str], n_foreign: int
    ) -> list[str]:
        """Texts of other requests; fewer where there are no more."""
        others: list[str] = []
        for _ in range(20 * max(0, n_foreign)):
            if len(others) == n_foreign:
                break
            other = rng.choice(self._requests)
            text = rng.choice(other["candidates"])["text"]
            if other is not request and text not in texts and text not in others:
                others.append(text)
        return others


class RecommendationSource:
    """A history cut at a random place, the title that came next, and random titles."""

    LABEL_WEIGHT = 1.0
    long = False  # titles are short

    def __init__(self, requests: list[dict], embedder: Embedder, weights: RecommendationWeights):
        self._sequences = [s for s in map(sequence, requests) if len(s) >= 2]
        self._titles = sorted(
            {t for s in self._sequences for t in s} | {c["text"] for r in requests for c in r["candidates"]}
        )
        self._counts = Cooccurrence(self._sequences)
        self._embedder = embedder
        self._weights = weights
        embedder.add(self._titles)

    def draw(
        self, rng: random.Random, n_items: int, max_chars: int, n_queries: int = 1
    ) -> list[Example]:
        """Examples of the same candidates: the titles that follow `n_queries` histories (fewer where the
        list is short), and titles that are in none of them."""
        histories: list[list[str]] = []
        following: list[str] = []
        seen: set[str] = set()
        n_queries = min(n_queries, max(1, n_items // 3), len(self._sequences))
        for titles in rng.sample(self._sequences, n_queries):
            cut = rng.randrange(min(3, len(titles) - 1), len(titles))
            history, its_next = titles[:cut], titles[cut]
            if any(its_next in other for other in histories) or set(history) & set(following):
                continue
            histories.append(history)
            following.append(its_next)
            seen.update(titles)
        others = [t for t in rng.sample(self._titles, min(len(self._titles), 2 * n_items)) if t not in seen]
        texts = list(dict.fromkeys(following))
        texts += others[: n_items - len(texts)]
        texts = rng.sample(texts, len(texts))
        return [self._example(h, f, texts) for h, f in zip(histories, following, strict=True)]

    def _example(self, history: list[str], following: str, texts: list[str]) -> Example:
        scores = standardised(
            recommendation_scores(
                history, texts, self._counts, self._embedder, self._weights, following
            )
        )
        relevant = np.array([float(text == following) for text in texts])  # the title that came next
        return make(
            "recommendation", {"history": history}, texts, scores + self.LABEL_WEIGHT * relevant, relevant
        )


def sentences(text: str) -> list[str]:
    """Those of a length that a query may have."""
    return [s for s in re.split(r"(?<=[.!?])\s+", text) if 20 < len(s) < 160]


def sequence(request: dict) -> list[str]:
    chosen = [c["text"] for c in request["candidates"] if request.get("relevance", {}).get(c["id"], 0) > 0]
    return [*request["history"], *chosen]


def choose(rng: random.Random, scores: np.ndarray, n_items: int, n_foreign: int) -> list[int]:
    """n_items indices in random order: the best one in most lists, all foreign ones, chance else."""
    n_own = len(scores) - n_foreign
    best = int(np.argmax(scores[:n_own]))
    must = list(range(n_own, len(scores))) + ([best] if rng.random() < 0.8 else [])
    rest = [i for i in range(n_own) if i not in must]
    keep = (must + rng.sample(rest, len(rest)))[:n_items]
    return rng.sample(keep, len(keep))


def draw_order(rng: random.Random, teacher: np.ndarray, temperature: float) -> list[int]:
    """A ranking from the Plackett-Luce model of the teacher: near ties fall either way."""
    gumbel = np.array([-np.log(-np.log(rng.random() + 1e-12)) for _ in teacher])
    return np.argsort(-(teacher / temperature + gumbel), kind="stable").tolist()
