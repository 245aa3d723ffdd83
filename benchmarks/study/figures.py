"""What the exhibits are made of: agreement with the LLM's own ranking, request by request."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from report.ranking import agreement

METRICS = ("kt", "sr", "fd", "kd")
NAMES = {"kt": "KT", "sr": "SR", "fd": "FD", "kd": "KD"}
LARGER_IS_BETTER = {"kt": True, "sr": True, "fd": False, "kd": False}
RESAMPLES = 2000
SEED = 1


@dataclass(frozen=True)
class Measured:
    """One setting on one data set, a value for each request, in the order of the file."""

    figures: dict[str, list[float]]  # METRICS, "encodings", "agent_ms", "decode_ms", "prefill_ms"

    def mean(self, name: str) -> float:
        return mean(self.figures[name])


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def read_records(path: Path) -> dict[str, Measured]:
    """By setting ("rsd blend T=2"), from DIR/records/NAME.jsonl of `rsd eval`.

    Requests of which some setting is missing were never written, so all settings have the same ones.
    """
    settings: dict[str, dict[str, list[float]]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if "settings" not in record or not record["settings"]:
                continue
            target = next(s["ranking"] for s in record["settings"] if s["setting"] == "ar")
            for measured in record["settings"]:
                figures = settings.setdefault(measured["setting"], {})
                values = agreement(measured["ranking"], target)
                values["encodings"] = measured["encodings"]
                values |= {f"{part}_ms": ms for part, ms in measured["timing_ms"].items()}
                for name, value in values.items():
                    figures.setdefault(name, []).append(value)
    return {setting: Measured(figures) for setting, figures in settings.items()}


def interval(values: list[float], share: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap of the mean over requests."""
    return spread_of([values], lambda columns: mean(columns[0]), share)


def stratified_interval(strata: list[list[float]], share: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap of the mean of the strata's means; the requests of each are drawn anew."""
    rng = random.Random(SEED)
    return middle([mean(mean(rng.choices(values, k=len(values))) for values in strata) for _ in range(RESAMPLES)], share)


def spread_of(columns: list[list[float]], statistic, share: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap of a statistic of several columns whose rows are the same requests."""
    rng = random.Random(SEED)
    n = len(columns[0])
    drawn = []
    for _ in range(RESAMPLES):
        rows = rng.choices(range(n), k=n)
        drawn.append(statistic([[column[row] for row in rows] for column in columns]))
    return middle(drawn, share)


def middle(drawn: list[float], share: float) -> tuple[float, float]:
    """What the middle share of them lies between."""
    drawn = sorted(drawn)
    tail = (1 - share) / 2
    return drawn[int(tail * len(drawn))], drawn[min(len(drawn) - 1, int((1 - tail) * len(drawn)))]


def resampled(settings: dict[str, Measured], generator: random.Random) -> dict[str, Measured]:
    """The same settings on requests that are drawn anew, the same ones for all of them."""
    n = len(next(iter(settings.values())).figures[METRICS[0]])
    rows = generator.choices(range(n), k=n)
    return {
        name: Measured({metric: [one.figures[metric][row] for row in rows] for metric in METRICS})
        for name, one in settings.items()
    }


def gain(value: float, baseline: float, metric: str) -> float | None:
    """Relative improvement: (x - b) / b for KT and SR, (b - x) / b for FD and KD."""
    if baseline <= 0:
        return None  # nothing to divide by: the baseline is perfect, or no better than chance
    difference = value - baseline if LARGER_IS_BETTER[metric] else baseline - value
    return difference / baseline


def better(one: float, other: float, metric: str) -> float:
    return max(one, other) if LARGER_IS_BETTER[metric] else min(one, other)
