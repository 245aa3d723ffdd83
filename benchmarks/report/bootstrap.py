"""Means with what they may be off by, for tables."""

from __future__ import annotations

import random
import statistics

RESAMPLES = 4000


def with_interval(values: list[float], seed: int = 1) -> str:
    """The mean and its 95 % percentile bootstrap interval."""
    rng = random.Random(seed)
    drawn = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    low, high = drawn[RESAMPLES // 40], drawn[-1 - RESAMPLES // 40]
    return f"{statistics.fmean(values):.3f} ({low:.3f} to {high:.3f})"
