"""What section `blocks` has measured, as tables, and the goals that it is held to."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tables
from contenders import Answer
from report.page import Curve, Plot, Table
from report.ranking import agreement, reciprocal_rank
from tables import Measured, percentile

SEQUENCE = "rsd, one sequence"
SEQUENCE_AR = "ar, one sequence"
WINDOWS = "rsd, one sequence, windows of 20"
COLD = "rsd, blocks, cold"
HALF_WARM = "rsd, blocks, half warm"
WARM = "rsd, blocks, warm"
WARM_AR = "ar, blocks, warm"
MINILM = "MiniLM embeddings"
KEPT = "MiniLM, documents kept"
FIRST = "FIRST, first token"
GENERATED = "generated list"

# The target of the same LLM and layout, where agreement means something.
TARGETS = {SEQUENCE: SEQUENCE_AR, SEQUENCE_AR: SEQUENCE_AR, FIRST: SEQUENCE_AR, WINDOWS: SEQUENCE_AR}
TARGETS |= {name: WARM_AR for name in (COLD, HALF_WARM, WARM, WARM_AR)}
# What the times of a case are divided by: the first of these that was measured.
BASES = (SEQUENCE, WINDOWS, COLD)
PARTS = ("prefill", "decode", "agent")
DRAWS = 2000
NONE = "–"


@dataclass
class Result:
    """One case's. `texts` are the tokens of all texts; a row of `measured` has its rankings of the shuffled request
    under `again`."""

    count: int
    tokens: int | None
    texts: list[int]
    measured: Measured
    peaks: dict[str, float]

    def of(self, name: str, value: Callable[[Answer], float]) -> list[float]:
        return tables.of(self.measured, name, value)

    def plain(self) -> dict[str, Any]:
        return {"candidates": self.count, "tokens_a_text": statistics.median(self.texts), "peak_mib": self.peaks, "requests": tables.plain(self.measured)}


Results = dict[str, Result]
Values = Callable[[Result], list[float]]


def total(answer: Answer) -> float:
    return answer.total_ms


def decode(answer: Answer) -> float:
    """Encodings after the prompt, without JSON, pipe and agent."""
    return answer.parts["decode"]


def tokens(answer: Answer) -> float:
    return float(answer.tokens)


def prefill_of(answer: Answer) -> float:
    return answer.parts["prefill"]


def outside(answer: Answer) -> float:
    """Share of the total that is neither prompt nor encodings."""
    return (answer.total_ms - answer.parts["prefill"] - answer.parts["decode"]) / answer.total_ms


def over(name: str, base: str, value: Callable[[Answer], float] = total) -> Values:
    """Ratios of each request's own values."""
    return lambda result: [one / other for one, other in zip(result.of(name, value), result.of(base, value), strict=True)]


def tau(one: list[str], other: list[str]) -> float:
    place = {item: n for n, item in enumerate(other)}
    return agreement([place[item] for item in one], list(range(len(place))))["kt"]


def taus(name: str, other: str) -> Values:
    return lambda result: [tau(m["answers"][name].ranking, m["answers"][other].ranking) for m in result.measured]


def consistencies(name: str) -> Values:
    """Candidates with equal texts count as one another: they differ in their order only."""

    def of_texts(m: dict[str, Any], ranking: list[str]) -> list[str]:
        texts = {c["id"]: c["text"] for c in m["request"]["candidates"]}
        seen: Counter[str] = Counter()
        places = []
        for text in (texts[item] for item in ranking):
            places.append(f"{seen[text]} {text}")
            seen[text] += 1
        return places

    return lambda result: [tau(of_texts(m, m["answers"][name].ranking), of_texts(m, m["again"][name])) for m in result.measured]


@dataclass(frozen=True)
class Goal:
    """`limit` None: shown beside the goals; `at_least`: the limit is the least that is wanted."""

    text: str
    case: str
    values: Values
    limit: float | None
    at_least: bool = False
    middle: Callable[[list[float]], float] = statistics.median

    def is_met(self, value: float) -> bool:
        assert self.limit is not None
        return value >= self.limit if self.at_least else value <= self.limit


GOALS = [
    Goal("warm, K = 20 passages of 100 tokens, over one sequence", "passages-20x100", over(WARM, SEQUENCE), 0.08),
    Goal("warm, K = 20 titles of games, over one sequence", "games", over(WARM, SEQUENCE), 0.35),
    Goal("warm, K = 20 titles of films, over one sequence", "films", over(WARM, SEQUENCE), 0.35),
    Goal("warm, K = 100 passages of 100 tokens, over one sequence", "passages-100x100", over(WARM, SEQUENCE), 0.035),
    Goal("cold, K = 20 passages of 100 tokens, over one sequence", "passages-20x100", over(COLD, SEQUENCE), 0.75),
    Goal("warm, K = 20 passages of 100 tokens, over MiniLM with documents kept", "passages-20x100", over(WARM, KEPT), 6),
    Goal("warm, K = 20 titles of games, over MiniLM with documents kept", "games", over(WARM, KEPT), 6),
    Goal("verification, K = 20, over the one after a sequence of 1,600 tokens", "passages-20x76", over(WARM, SEQUENCE, decode), 0.45),
    Goal("warm, ar over rsd, K = 20 passages of 100 tokens, end to end", "passages-20x100", over(WARM_AR, WARM), 1.6, True),
    Goal("the same, decode phase alone", "passages-20x100", over(WARM_AR, WARM, decode), None),
    Goal("warm, ar over rsd, K = 100 passages of 100 tokens, end to end", "passages-100x100", over(WARM_AR, WARM), 3, True),
    Goal("the same, decode phase alone", "passages-100x100", over(WARM_AR, WARM, decode), None),
    Goal("cold, K = 100 passages of 100 tokens, over windows of 20: tokens", "passages-100x100", over(COLD, WINDOWS, tokens), 0.45),
    Goal("the same: time", "passages-100x100", over(COLD, WINDOWS), 0.4),
    Goal("K = 400 passages of 100 tokens in one prompt, nothing kept: peak memory in GB", "passages-400x100", lambda r: [r.peaks[COLD] * 2**20 / 1e9], 1.2),
    Goal("order consistency of ar in blocks, K = 20 passages", "passages-20x100", consistencies(WARM_AR), 1, True, statistics.mean),
    Goal("the same in one sequence", "passages-20x100", consistencies(SEQUENCE_AR), None, True, statistics.mean),
    Goal("order consistency of ar in blocks, K = 20 titles of games", "games", consistencies(WARM_AR), 1, True, statistics.mean),
    Goal("the same in one sequence", "games", consistencies(SEQUENCE_AR), None, True, statistics.mean),
    Goal("warm beside cold, K = 20 passages: Kendall's tau", "passages-20x100", taus(WARM, COLD), 0.995, True, statistics.mean),
    Goal("warm beside cold, K = 20 titles of games: Kendall's tau", "games", taus(WARM, COLD), 0.995, True, statistics.mean),
    Goal("warm, K = 20 passages: share of the total outside of prefill and encodings", "passages-20x100", lambda r: r.of(WARM, outside), 0.08),
]


def interval(values: list[float], middle: Callable[[list[float]], float]) -> tuple[float, float]:
    """95 %, by percentile bootstrap over the requests."""
    draw = random.Random(1)
    found = sorted(middle(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    return percentile(found, 0.025), percentile(found, 0.975)


def goals(results: Results) -> Table:
    table = Table(
        "Goals",
        ["", "measured", "95 % interval", "requests", "goal", ""],
        note="Medians of each request's own ratios; means of consistency and tau. The interval is a bootstrap over the requests, which says "
        "little about few of them. What the LLM's library is called with inside of prefill and encodings is not seen as overhead here.",
    )
    for goal in GOALS:
        try:
            values = goal.values(results[goal.case])
        except KeyError:  # the case or a contender was left out
            table.rows.append([goal.text, NONE, NONE, "0", limit_of(goal), "not measured"])
            continue
        value = goal.middle(values)
        low, high = interval(values, goal.middle)
        verdict = "" if goal.limit is None else "met" if goal.is_met(value) else "missed"
        table.rows.append([goal.text, f"{value:.3f}", f"{low:.3f}–{high:.3f}", str(len(values)), limit_of(goal), verdict])
    return table


def limit_of(goal: Goal) -> str:
    return NONE if goal.limit is None else f"{'≥' if goal.at_least else '≤'} {goal.limit:g}"


def contenders(name: str, result: Result) -> Table:
    base = base_of(result)
    table = Table(
        f"{name}: {len(result.measured)} requests of {result.count} candidates, {statistics.median(result.texts):.0f} tokens a text",
        ["", "total p50", "p95", f"over {base}", "10 %", "90 %", "tokens", "KT to ar", "order consistency", "nDCG@10", "MRR", "peak MiB"],
        note="Milliseconds of wall clock. Ratios are of each request's own times. Tokens that went through the LLM. KT: to ar of the same LLM "
        "and layout. Peak: resident memory of the process, mapped weights and kept blocks included.",
    )
    for contender in result.peaks:
        table.rows.append([contender, *times(result, contender, base), *quality(result, contender), f"{result.peaks[contender]:.0f}"])
    return table


def base_of(result: Result) -> str:
    return next((name for name in BASES if name in result.peaks), next(iter(result.peaks)))


def times(result: Result, name: str, base: str) -> list[str]:
    totals = result.of(name, total)
    ratios = over(name, base)(result)
    used = statistics.median(result.of(name, tokens))
    row = [milliseconds(statistics.median(totals)), milliseconds(percentile(totals, 0.95)), f"{statistics.median(ratios):.3f}"]
    return [*row, *(f"{percentile(ratios, share):.3f}" for share in (0.1, 0.9)), f"{used:.0f}" if used else NONE]


def milliseconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def quality(result: Result, name: str) -> list[str]:
    target = TARGETS.get(name)
    kt = statistics.mean(taus(name, target)(result)) if target in result.peaks else None
    again = all(name in m.get("again", {}) for m in result.measured)
    consistency = statistics.mean(consistencies(name)(result)) if again else None
    ndcg = tables.mean_ndcg(result.measured, name)
    found = [reciprocal_rank(m["answers"][name].ranking, m["request"].get("relevance", {})) for m in result.measured]
    known = [rank for rank in found if rank is not None]
    mrr = statistics.mean(known) if known else None
    return [NONE if value is None else f"{value:.3f}" for value in (kt, consistency, ndcg, mrr)]


def breakdown(name: str, result: Result) -> Table:
    """Means, so that the parts add up."""
    ours = [n for n in result.peaks if all(m["answers"][n].parts for m in result.measured)]
    extra = sorted({key for m in result.measured for n in ours for key in m["answers"][n].parts} - {*PARTS, "total"})
    table = Table(
        f"{name}: parts of a request's time",
        ["", "total", *PARTS, "else in rsd", "JSON and pipe", *(f"{key} (part of the others)" for key in extra)],
        note="Mean milliseconds, by the answers' timing_ms; what it lacks up to its total is else in rsd, and up to the wall clock JSON and pipe. "
        "Prefill holds head, query, missing texts, kept ones put in place, identifiers and tail.",
    )
    for contender in ours:

        def mean(value: Callable[[Answer], float], of: str = contender) -> str:
            return f"{statistics.mean(result.of(of, value)):.1f}"

        row = [mean(total), *(mean(lambda a, p=part: a.parts[p]) for part in PARTS)]
        row += [mean(lambda a: a.parts["total"] - sum(a.parts[p] for p in PARTS)), mean(lambda a: a.total_ms - a.parts["total"])]
        table.rows.append([contender, *row, *(mean(lambda a, k=key: a.parts.get(k, 0.0)) for key in extra)])
    return table


def copying_bytes_per_ms() -> float:
    """Of memory, by one thread: the best of five copies of 256 MiB."""
    source = bytearray(1 << 28)
    target = memoryview(bytearray(len(source)))
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        target[:] = source
        best = max(best, len(source) / (1000 * (time.perf_counter() - start)))
    return best


def limits(results: Results, token_bytes: int, bytes_per_ms: float) -> Table:
    """How far warm requests are from what the machine needs for their arithmetic and for the copying of their blocks."""
    rates = [prefill / n for r in results.values() if SEQUENCE in r.peaks for prefill, n in zip(r.of(SEQUENCE, prefill_of), r.of(SEQUENCE, tokens), strict=True)]
    table = Table(
        "Warm requests and the machine's limits",
        ["", "tokens encoded", "their arithmetic, ms", "kept MB", "copying it, ms", "total, ms", "over the limits"],
        note="Means. Arithmetic: at the best rate that a prompt in one sequence had in this run"
        + (f", {min(rates):.2f} ms a token" if rates else "")
        + f". Copying: {token_bytes} bytes a token, at {bytes_per_ms / 1e6:.1f} GB/s, what one thread of Python copies. Over the limits: total over the two together.",
    )
    for name, result in results.items():
        if not rates or WARM not in result.peaks:
            continue
        used, spent = (statistics.mean(result.of(WARM, value)) for value in (tokens, total))
        kept = token_bytes * sum(result.texts) / len(result.measured)
        least = (used * min(rates), kept / bytes_per_ms)
        table.rows.append([name, f"{used:.0f}", f"{least[0]:.1f}", f"{kept / 1e6:.1f}", f"{least[1]:.1f}", f"{spent:.1f}", f"{spent / sum(least):.2f}"])
    return table


def grid(results: Results) -> list[Table | Plot]:
    """Totals by number and length of the texts."""
    sized = [r for r in results.values() if r.tokens]
    made: list[Table | Plot] = []
    for count in sorted({r.count for r in sized}):
        columns = sorted((r for r in sized if r.count == count and len(r.peaks) > 2), key=lambda r: r.tokens or 0)
        if len(columns) < 2:
            continue
        names = list(dict.fromkeys(name for r in columns for name in r.peaks))
        table = Table(f"K = {count}: median total by tokens of a text, ms", ["", *(str(r.tokens) for r in columns)])
        for name in names:
            table.rows.append([name, *(milliseconds(statistics.median(r.of(name, total))) if name in r.peaks else NONE for r in columns)])
        curves = [Curve(n, [(r.tokens or 0, statistics.median(r.of(n, total)) / 1000) for r in columns if n in r.peaks]) for n in names]
        made += [table, Plot(f"K = {count}", "tokens of a text", "seconds, median", curves)]
    return made


def parts(results: Results, token_bytes: int, bytes_per_ms: float) -> list[Table | Plot]:
    found: list[Table | Plot] = [goals(results), limits(results, token_bytes, bytes_per_ms), *grid(results)]
    for name, result in results.items():
        found += [contenders(name, result), breakdown(name, result)]
    return found
