#!/usr/bin/env python3
"""Measures how an item that all windows share makes their scores comparable (`calibrated`).

    python3 benchmarks/windows/pivots.py --requests msmarco-dl-bm25-train.jsonl --limit 16 --out pivots

joins the requests of each query to one list (the first candidate of each, then the second of each), fills it up with
others' candidates, and orders it by the first row of logits of its windows in several ways. Prints nDCG@10 of each.
Windows are ranked once and kept under --out. Seeds are fixed. No Python packages.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from report import page  # noqa: E402
from report.ranking import ndcg_at  # noqa: E402
from windows import SEED, difference, lists_of, mean  # noqa: E402

LEAST_RELEVANT = 3
Row = dict[str, float]  # logits of a window's candidates by id


def joined(path: Path) -> list[dict]:
    """One list a query: of those that have as many requests as most, in an order drawn once."""
    by_query: dict[str, list[dict]] = {}
    with path.open(encoding="utf-8") as lines:
        for request in map(json.loads, lines):
            by_query.setdefault(request["query"], []).append(request)
    longest = max(map(len, by_query.values()))
    queries = sorted(query for query, pieces in by_query.items() if len(pieces) == longest)
    random.Random(SEED).shuffle(queries)
    return [one for query in queries if relevant(one := join(by_query[query])) >= LEAST_RELEVANT]


def join(pieces: list[dict]) -> dict:
    shown = itertools.chain.from_iterable(zip(*(piece["candidates"] for piece in pieces), strict=False))
    relevance = {id: grade for piece in pieces for id, grade in piece.get("relevance", {}).items()}
    return {**pieces[0], "id": pieces[0]["id"].rsplit("-", 1)[0], "candidates": list({c["id"]: c for c in shown}.values()), "relevance": relevance}


def relevant(request: dict) -> int:
    return sum(grade > 0 for grade in request["relevance"].values())


def rows(options: argparse.Namespace, name: str, windows: dict[str, list[dict]], queries: dict[str, dict]) -> dict[str, Row]:
    """The first row of each window, by its name, which begins with its request's id and a space."""
    requests, trace = options.out / f"{name}.jsonl", options.out / f"{name}-trace.jsonl"
    if not trace.exists():
        lines = [{"id": key, "query": queries[key.split(" ")[0]]["query"], "candidates": shown} for key, shown in windows.items()]
        page.replace(requests, "".join(json.dumps(line) + "\n" for line in lines))
        command = [options.rsd, "rank", "--requests", requests, "--decoder", "std", "--trace", trace, "--output", options.out / f"{name}-answers.jsonl"]
        command += ["--threads", options.threads] if options.threads else []
        command += ["--model", options.model] if options.model else []
        print(shlex.join(map(str, command)), file=sys.stderr, flush=True)
        subprocess.run(list(map(str, command)), check=True)
    with trace.open(encoding="utf-8") as lines:
        traced = [json.loads(line) for line in lines][1:]
    return {
        key: dict(zip((c["id"] for c in shown), one["rounds"][0]["logits"][0], strict=True))
        for (key, shown), one in zip(windows.items(), traced, strict=True)
    }


def dealt(rest: list[dict], n: int) -> list[list[dict]]:
    return [rest[i::n] for i in range(n)]


def neighbours(rest: list[dict], n: int) -> list[list[dict]]:
    size = math.ceil(len(rest) / n)
    return [rest[i * size : (i + 1) * size] for i in range(n)]


def log_probabilities(row: Row, _pivot: str) -> Row:
    top = max(row.values())
    norm = top + math.log(sum(math.exp(x - top) for x in row.values()))
    return {id: x - norm for id, x in row.items()}


def less_pivot(row: Row, pivot: str) -> Row:
    return {id: x - row[pivot] for id, x in row.items()}


SCORES = {
    "logit": lambda row, pivot: row,
    "log-probability in the window": log_probabilities,
    "logit less the pivot's": less_pivot,
}


def order(first: Row, others: list[Row], pivot: str, score) -> list[str]:
    """By `score` of each window's row; the pivot by that in the first window."""
    scores = {id: x for row in others for id, x in score(row, pivot).items()} | score(first, pivot)
    return sorted(scores, key=lambda id: -scores[id])


def windows_of(lists: dict[str, dict], pivots: dict[str, str], deal, size: int) -> dict[str, list[dict]]:
    """All but the first of each list, the pivot in front."""
    windows = {}
    for key, one in lists.items():
        pivot = next(c for c in one["candidates"] if c["id"] == pivots[key])
        rest = one["candidates"][size:]
        for n, group in enumerate(deal(rest, math.ceil(len(rest) / (size - 1)))):
            windows[f"{key} {n}"] = [pivot, *group]
    return windows


def spread(others: list[Row], pivot: str) -> float:
    """Standard deviation of the windows' mean logit above the pivot's."""
    return statistics.pstdev(mean([x for id, x in less_pivot(row, pivot).items() if id != pivot]) for row in others)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=Path, required=True, help="training requests, several of a query")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=16, help="lists")
    parser.add_argument("--pooled", type=int, default=100, help="candidates of a list")
    parser.add_argument("--window", type=int, default=20)
    parser.add_argument("--rsd", type=Path, default=ROOT / "build/release/rsd")
    parser.add_argument("--model", help="GGUF model; without it the default model")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    whole = options.out / "lists.jsonl"
    page.replace(whole, "".join(json.dumps(one) + "\n" for one in joined(options.requests)))
    lists = {str(n): one for n, one in enumerate(lists_of(argparse.Namespace(**{**vars(options), "requests": whole})))}
    firsts = rows(options, "first", {key: one["candidates"][: options.window] for key, one in lists.items()}, lists)
    pivots = {key: sorted(row, key=lambda id: -row[id])[options.window // 2] for key, row in firsts.items()}
    ndcg = lambda order_of: [ndcg_at(10, order_of(key), one["relevance"]) for key, one in lists.items()]  # noqa: E731
    print("| windows | order by | nDCG@10 |", "|-|-|-|", sep="\n")
    print(f"| – | as it is | {mean(ndcg(lambda key: [c['id'] for c in lists[key]['candidates']])):.3f} |")
    by_pivot = {}
    for deal in (neighbours, dealt):
        by_window = rows(options, deal.__name__, windows_of(lists, pivots, deal, options.window), lists)
        others = {key: [row for window, row in by_window.items() if window.split(" ")[0] == key] for key in lists}
        for name, score in SCORES.items():
            values = ndcg(lambda key: order(firsts[key], others[key], pivots[key], score))
            print(f"| {deal.__name__} | {name} | {mean(values):.3f} |", flush=True)
        by_pivot[deal] = values
        print(f"| {deal.__name__} | spread of its windows' means within a list | {mean([spread(others[key], pivots[key]) for key in lists]):.2f} |")
    print("dealt less neighbours:", difference([a - b for a, b in zip(by_pivot[dealt], by_pivot[neighbours], strict=True)]))


if __name__ == "__main__":
    main()
