"""How good a ranking is, and how like another."""

from __future__ import annotations

import math
from collections.abc import Mapping


def agreement(ranking: list[int], target: list[int]) -> dict[str, float]:
    """As include/rsd/rank/agreement.h defines them; rankings of fewer than two items agree."""
    n = len(target)
    if n < 2:
        return {"kt": 1.0, "sr": 1.0, "fd": 0.0, "kd": 0.0}
    place = {item: position for position, item in enumerate(target)}
    places = [place[item] for item in ranking]
    discordant = sum(places[i] > places[j] for i in range(n) for j in range(i + 1, n))
    gaps = [abs(position - i) for i, position in enumerate(places)]
    kd = discordant / (n * (n - 1) / 2)
    return {
        "kt": 1 - 2 * kd,
        "sr": 1 - 6 * sum(gap * gap for gap in gaps) / (n * (n * n - 1)),
        "fd": sum(gaps) / (n * n // 2),
        "kd": kd,
    }


def ndcg_at(k: int, ranking: list[str], relevance: Mapping[str, float]) -> float | None:
    """With linear gains, as in include/rsd/rank/relevance_metrics.h; None if nothing is
    relevant."""

    def gained(grades: list[float]) -> float:
        return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades[:k]))

    best = gained(sorted((grade for grade in relevance.values() if grade > 0), reverse=True))
    return gained([relevance.get(item, 0) for item in ranking]) / best if best > 0 else None


def reciprocal_rank(ranking: list[str], relevance: Mapping[str, float]) -> float | None:
    """Of the first relevant item, 0 if none is ranked; None if nothing is relevant."""
    if not any(grade > 0 for grade in relevance.values()):
        return None
    return next((1 / place for place, item in enumerate(ranking, 1) if relevance.get(item, 0) > 0), 0.0)
