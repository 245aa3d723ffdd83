#!/usr/bin/env python3
"""How well rsd's models rank, beside what one would use without an LLM: quality, time and memory of the same requests.

    python3 -m venv peers && peers/bin/pip install -r benchmarks/quality/requirements.txt
    peers/bin/python benchmarks/quality/quality.py --data DIR --out out [--contenders ...] [--limit quora-test=120 ...]

Requests are shuffled with a fixed seed, the same for all; every contender is a process that stays loaded, and each request
goes to all of them in turn. `out/measured.jsonl` gets a line for each request and contender; a run that is started again goes
on from there. At the end, and whenever --tables alone is given, `out/tables.md` has the means with 95 % bootstrap intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks/peers")]

from contenders import Contender, Peer, Request, Rsd  # noqa: E402
from report.bootstrap import with_interval  # noqa: E402
from report.ranking import ndcg_at, reciprocal_rank  # noqa: E402

SETS = ("quora-test", "msmarco-dl-bm25-test", "msmarco-dl-bm25-k100-test", "games-test", "ml1m-test")
SEED = 1
METRICS = ("MRR", "nDCG@10", "Recall@1")


@dataclass(frozen=True)
class Maker:
    """How a contender is started, and what it is."""

    start: Callable[[argparse.Namespace], Contender]
    about: str


def of_rsd(name: str, *options: str) -> Callable[[argparse.Namespace], Contender]:
    return lambda given: Rsd(name, given.rsd, [*options, "--threads", str(given.threads)])


def of_peer(name: str, kind: str, *options: str) -> Callable[[argparse.Namespace], Contender]:
    return lambda given: Peer(name, kind, ["--threads", str(given.threads), *options])


CONTENDERS: dict[str, Maker] = {
    "MiniLM": Maker(of_peer("MiniLM", "embeddings"), "cosine of all-MiniLM-L6-v2, 22 M parameters"),
    "mpnet": Maker(
        lambda given: Peer("mpnet", "embeddings", ["--threads", str(given.threads), "--embedder", str(given.mpnet)]),
        "cosine of all-mpnet-base-v2, 109 M parameters",
    ),
    "e5": Maker(of_peer("e5", "e5"), "cosine of multilingual-e5-small, 4 bits, 118 M parameters"),
    "ar": Maker(of_rsd("ar", "--decoder", "ar"), "the sequential model, an encoding for each place"),
    "std": Maker(of_rsd("std", "--decoder", "std"), "the sequential model, the first encoding's order, as FIRST does"),
    "rsd": Maker(of_rsd("rsd", "--decoder", "rsd", "--budget", "2"), "the sequential model, T = 2"),
    "ar, blocks": Maker(of_rsd("ar, blocks", "--model", "default-blocks", "--decoder", "ar"), "`default-blocks`, an encoding for each place"),
    "std, blocks": Maker(of_rsd("std, blocks", "--model", "default-blocks", "--decoder", "std"), "`default-blocks`, the first encoding's order"),
    "rsd, blocks": Maker(
        of_rsd("rsd, blocks", "--model", "default-blocks", "--decoder", "rsd", "--budget", "2"), "`default-blocks`, T = 2"
    ),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the request files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="request files of the folder, without .jsonl")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--limit", nargs="+", default=[], metavar="SET=N", help="the first N requests of a set; all without it")
    parser.add_argument("--rsd", type=Path, default=ROOT / "build/release/rsd")
    parser.add_argument("--mpnet", type=Path, help="folder of all-mpnet-base-v2")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tables", action="store_true", help="measure nothing, write the tables anew")
    return parser.parse_args()


def read(path: Path, limit: int | None) -> list[Request]:
    """The requests in their first stage's order."""
    with path.open(encoding="utf-8") as lines:
        requests = [json.loads(line) for line in lines]
    return requests[:limit]


def shuffled(request: Request) -> Request:
    candidates = list(request["candidates"])
    random.Random(f"{SEED}/{request['id']}").shuffle(candidates)
    return {**request, "candidates": candidates}


def figures(ranking: list[str], relevance: dict[str, float]) -> dict[str, float] | None:
    """As `rsd eval` has them: Recall@1 is the share of the relevant ones that is in first place. None if nothing is relevant."""
    ndcg = ndcg_at(10, ranking, relevance)
    if ndcg is None:
        return None
    relevant = sum(grade > 0 for grade in relevance.values())
    first = relevance.get(ranking[0], 0) > 0
    return {"MRR": reciprocal_rank(ranking, relevance), "nDCG@10": ndcg, "Recall@1": first / relevant}


def cpu_seconds(contender: Contender) -> float:
    """That its process has used."""
    fields = Path(f"/proc/{contender.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Measurements:
    """Lines of a file: set, request, contender, ranking, milliseconds, peak memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        if path.exists():
            # A line that was cut by a kill is measured again.
            whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
            path.write_text("".join(whole), encoding="utf-8")
            self.lines = [json.loads(line) for line in whole]
        self.known = {(line["set"], line["request"], line["contender"]) for line in self.lines}

    def add(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as out:
            print(json.dumps(line), file=out)
        self.lines.append(line)
        self.known.add((line["set"], line["request"], line["contender"]))


def measure(name: str, requests: list[Request], contenders: list[Contender], measurements: Measurements) -> None:
    missing = [r for r in requests if any((name, r["id"], c.name) not in measurements.known for c in contenders)]
    begun = time.monotonic()
    for number, request in enumerate(missing):
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            if (name, request["id"], contender.name) in measurements.known:
                continue
            before = cpu_seconds(contender)
            answer = contender.rank(shuffled(request))
            measurements.add(
                {
                    "set": name,
                    "request": request["id"],
                    "contender": contender.name,
                    "ranking": answer.ranking,
                    "total_ms": answer.total_ms,
                    "cpu_ms": 1000 * (cpu_seconds(contender) - before),
                    "peak_mib": contender.peak_mib(),
                }
            )
        left = (time.monotonic() - begun) / (number + 1) * (len(missing) - number - 1)
        print(f"\r{name}: {number + 1} of {len(missing)} requests, {left / 60:.0f} min left ", end="", file=sys.stderr, flush=True)
    if missing:
        print(file=sys.stderr)


def random_figures(request: Request, draws: int = 20) -> dict[str, float] | None:
    """The mean over random orders."""
    rng = random.Random(f"{SEED}/{request['id']}/random")
    ids = [c["id"] for c in request["candidates"]]
    drawn = [figures(rng.sample(ids, len(ids)), request.get("relevance", {})) for _ in range(draws)]
    return {m: statistics.fmean(each[m] for each in drawn) for m in METRICS} if drawn[0] else None


def rows(name: str, requests: list[Request], lines: list[dict[str, Any]]) -> list[str]:
    """One row a contender, over the requests that all of them have ranked."""
    of_set = [line for line in lines if line["set"] == name]
    names = list(dict.fromkeys(line["contender"] for line in of_set))
    by_request = {(line["request"], line["contender"]): line for line in of_set}
    judged = [r for r in requests if figures([c["id"] for c in r["candidates"]], r.get("relevance", {}))]
    common = [r for r in judged if all((r["id"], each) in by_request for each in names)]
    if not common:
        return []
    table = [f"\n{name}, {len(common)} requests of {statistics.median(len(r['candidates']) for r in common):.0f} candidates:\n"]
    table += ["| | " + " | ".join(METRICS) + " | CPU, ms | peak memory, MiB |", "|-|-|-|-|-|-|"]

    def row(label: str, values: list[dict[str, float]], cost: str) -> str:
        return f"| {label} | " + " | ".join(with_interval([v[m] for v in values]) for m in METRICS) + f" | {cost} |"

    table.append(row("random", [random_figures(r) for r in common], "– | –"))
    if all(r["task"] == "passage" for r in common):
        in_order = [figures([c["id"] for c in r["candidates"]], r["relevance"]) for r in common]
        table.append(row("first stage (BM25)", in_order, "– | –"))
    for each in sorted(names, key=list(CONTENDERS).index):
        of_contender = [by_request[r["id"], each] for r in common]
        values = [figures(line["ranking"], r["relevance"]) for line, r in zip(of_contender, common, strict=True)]
        cpu = statistics.median(line["cpu_ms"] for line in of_contender)
        table.append(row(each, values, f"{cpu:.0f} | {max(line['peak_mib'] for line in of_contender):.0f}"))
    return table


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    limits = {name: int(n) for name, n in (each.split("=") for each in options.limit)}
    sets = {name: read(options.data / f"{name}.jsonl", limits.get(name)) for name in options.sets}
    measurements = Measurements(options.out / "measured.jsonl")
    if not options.tables:
        contenders = [CONTENDERS[name].start(options) for name in options.contenders]
        for name, requests in sets.items():
            measure(name, requests, contenders, measurements)
        for contender in contenders:
            contender.close()
    measured = {line["contender"] for line in measurements.lines}
    tables = [f"- **{name}**: {maker.about}" for name, maker in CONTENDERS.items() if name in measured]
    for name, requests in sets.items():
        tables += rows(name, requests, measurements.lines)
    (options.out / "tables.md").write_text("\n".join(tables) + "\n", encoding="utf-8")
    print("\n".join(tables))


if __name__ == "__main__":
    main()
