"""What was measured, as tables and plots."""

from __future__ import annotations

import argparse
import dataclasses
import html
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contenders import Answer
from report.page import Curve, Plot, Section, Table
from report.ranking import agreement, ndcg_at

OURS = "rsd T=2"
TARGET = "ar"
Measured = list[dict[str, Any]]


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def of(measured: Measured, name: str, value: Callable[[Answer], float]) -> list[float]:
    return [value(m["answers"][name]) for m in measured]


def kt_to_target(measured: Measured, name: str) -> float:
    values = []
    for m in measured:
        place = {item: n for n, item in enumerate(m["answers"][TARGET].ranking)}
        values.append(agreement([place[item] for item in m["answers"][name].ranking], list(range(len(place))))["kt"])
    return statistics.mean(values)


def mean_ndcg(measured: Measured, name: str) -> float | None:
    values = [ndcg_at(10, m["answers"][name].ranking, m["request"].get("relevance", {})) for m in measured]
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def contenders(title: str, measured: Measured, peaks: dict[str, float]) -> Table:
    table = Table(
        f"{title}: {len(measured)} requests, {tokens_of(measured):.0f} tokens in rsd's prompt",
        ["", "prefill ms", "decode ms", "total p50", "p95", "KT to ar", "nDCG@10", "repaired", "peak MiB"],
        note="Prefill and decode are medians; for rsd, decode is all that is not prefill. Repaired: places of a list that a generated text left "
        "out or named twice. Peak: resident memory of the process, the mapped weights included.",
    )
    for name in peaks:
        totals = of(measured, name, lambda a: a.total_ms)
        ndcg = mean_ndcg(measured, name)
        table.rows.append(
            [
                name,
                f"{statistics.median(of(measured, name, lambda a: a.prefill_ms)):.0f}",
                f"{statistics.median(of(measured, name, lambda a: a.decode_ms)):.0f}",
                f"{percentile(totals, 0.5):.0f}",
                f"{percentile(totals, 0.95):.0f}",
                f"{kt_to_target(measured, name):.2f}",
                "–" if ndcg is None else f"{ndcg:.3f}",
                f"{statistics.mean(of(measured, name, lambda a: float(a.wrong))):.1f}",
                f"{peaks[name]:.0f}",
            ]
        )
    return table


def tokens_of(measured: Measured) -> float:
    return statistics.median(len(m["request"]["prompt"]["tokens"]) for m in measured)


def ratios(title: str, measured: Measured) -> Table:
    table = Table(f"{title}: times over those of {OURS}, of each request", ["", "total", "10 %", "90 %", "decode", "10 %", "90 %"])
    for name in measured[0]["answers"]:
        if name == OURS:
            continue
        row = [name]
        for value in (lambda a: a.total_ms, lambda a: a.decode_ms):
            found = [one / other for one, other in zip(of(measured, name, value), of(measured, OURS, value), strict=True)]
            row += [f"{percentile(found, share):.2f}" for share in (0.5, 0.1, 0.9)]
        table.rows.append(row)
    table.rows.sort()
    return table


def growth(title: str, x: str, by_size: dict[int, Measured]) -> list[Table | Plot]:
    names = list(next(iter(by_size.values()))[0]["answers"])
    names.sort()
    table = Table(title, [x, "tokens", *names], note="Median total, ms.")
    for size, measured in by_size.items():
        totals = [f"{statistics.median(of(measured, name, lambda a: a.total_ms)):.0f}" for name in names]
        table.rows.append([str(size), f"{tokens_of(measured):.0f}", *totals])
    curves = [Curve(name, [(size, statistics.median(of(m, name, lambda a: a.total_ms)) / 1000) for size, m in by_size.items()]) for name in names]
    decodes = [
        Curve(name, [(size, statistics.median(of(m, name, lambda a: a.decode_ms)) / 1000) for size, m in by_size.items()])
        for name in names
        if not name.startswith(("FIRST", "MiniLM"))
    ]
    return [table, Plot(f"{title}: end to end", x, "seconds, median", curves), Plot(f"{title}: after the prefill", x, "seconds, median", decodes)]


def throughput(seconds: dict[str, list[float]], count: int) -> Table:
    table = Table(f"{count} requests of quora-test, handed over at once", ["", "requests a second", "worst", "best"], note="Median of three runs each, in turn.")
    for name, found in seconds.items():
        table.rows.append([name, *(f"{count / s:.2f}" for s in (statistics.median(found), max(found), min(found)))])
    return table


def plain(measured: Measured) -> list[dict[str, Any]]:
    """For measured.json: without the requests' texts."""
    return [{"id": m["request"]["id"], "answers": {n: dataclasses.asdict(a) for n, a in sorted(m["answers"].items())}} for m in measured]


def facts(options: argparse.Namespace, load_before: float) -> list[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    blocks = [f"LLM of the prompts in blocks: {html.escape(options.blocks_model.name)}."] if options.blocks_model else []
    return [
        f"LLM: {html.escape(options.model.name)}; as shipped: {html.escape(options.shipped.name)}. Policy of rsd: {options.policy or 'its default'}.",
        *blocks,
        f"The first {options.limit} requests of each file ({options.growth_limit} for growth; for blocks, as its tables say), candidates shuffled with seed 1.",
        f"Machine: {html.escape(cpu)}, {options.threads} threads for each side; load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after.",
    ]


def markdown(facts: list[str], sections: list[Section]) -> str:
    text = "".join(f"- {fact}\n" for fact in facts)
    for section in sections:
        text += f"\n## {section.title}\n"
        for part in section.parts:
            if not isinstance(part, Table):
                continue
            rows = [part.head, ["-", *["-:"] * (len(part.head) - 1)], *part.rows]
            text += f"\n### {part.title}\n{part.note}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return text
