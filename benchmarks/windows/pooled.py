#!/usr/bin/env python3
"""Lists of many candidates, most of them of other queries: quality and cost of window methods, side by side.

    benchmarks/windows/pooled.py --requests quora-test.jsonl --out pooled [--lists 12] [--size 1000] [--pool 2400]
        [--methods relevance calibrated] [--model default-blocks] [--rsd build/release/rsd]

Draws requests that have a relevant candidate, fills each up with candidates of other requests, and shuffles. All
candidates are indexed once (`rsd index`), so the times are those of known candidates. Prints MRR and nDCG@10 with
95 % bootstrap intervals over the lists, the share of relevant candidates among the first 20, encodings, and
seconds of CPU. Standard library only.
"""

import argparse
import json
import math
import random
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from report.bootstrap import with_interval  # noqa: E402


def judged(request):
    """The ids of its relevant candidates."""
    ids = {candidate["id"] for candidate in request["candidates"]}
    return {item for item, grade in request.get("relevance", {}).items() if grade > 0 and item in ids}


def pooled_lists(requests, n_lists, size, pool_size, seed=7):
    """The texts by id, and requests whose candidates are ids: a request's own and others of the pool."""
    rng = random.Random(seed)
    usable = [request for request in requests if judged(request)]
    chosen = rng.sample(usable, min(n_lists, len(usable)))
    pool = {c["id"]: c["text"] for request in chosen for c in request["candidates"]}
    others = [c for request in usable for c in request["candidates"]]
    rng.shuffle(others)
    for candidate in others:
        if len(pool) >= pool_size:
            break
        pool.setdefault(candidate["id"], candidate["text"])
    lists = []
    for request in chosen:
        own = [c["id"] for c in request["candidates"]]
        rest = [item for item in pool if item not in set(own)]
        ids = own + rng.sample(rest, min(size - len(own), len(rest)))
        rng.shuffle(ids)
        lists.append({"id": request["id"], "query": request["query"], "candidates": [{"id": item} for item in ids]})
    return pool, lists, {request["id"]: judged(request) for request in chosen}


def figures(ranking, relevant):
    """MRR, nDCG@10 with binary gains, and the share of the relevant ones among the first 20."""
    places = [n for n, item in enumerate(ranking) if item in relevant]
    gain = sum(1 / math.log2(n + 2) for n in places if n < 10)
    ideal = sum(1 / math.log2(n + 2) for n in range(min(10, len(relevant))))
    return 1 / (places[0] + 1), gain / ideal, sum(n < 20 for n in places) / len(relevant)


def run(command):
    """Seconds of CPU that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(part) for part in command], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_lines(path, values):
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lists", type=int, default=12)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--pool", type=int, default=2400, help="candidates in all")
    parser.add_argument("--methods", nargs="+", default=["relevance", "calibrated"])
    parser.add_argument("--model", default="default-blocks")
    parser.add_argument("--rsd", type=Path, default="build/release/rsd")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with options.requests.open(encoding="utf-8") as lines:
        pool, lists, relevant = pooled_lists(list(map(json.loads, lines)), options.lists, options.size, options.pool)
    corpus, requests, index = (options.out / name for name in ("corpus.jsonl", "lists.jsonl", "index"))
    write_lines(corpus, ({"id": item, "text": text} for item, text in pool.items()))
    write_lines(requests, lists)
    run([options.rsd, "index", "--corpus", corpus, "--out", index, "--model", options.model])
    print(f"{len(lists)} lists of {len(lists[0]['candidates'])}\n")
    print("| method | MRR | nDCG@10 | relevant ones in the first 20 | encodings | CPU, s a list |\n|-|-|-|-|-|-|")
    for method in options.methods:
        output = options.out / f"{method}.jsonl"
        seconds = run([options.rsd, "rank", "--requests", requests, "--index", index, "--model", options.model,
                       "--window-method", method, "--output", output])  # fmt: skip
        answers = list(map(json.loads, output.read_text(encoding="utf-8").splitlines()))
        columns = list(zip(*(figures(a["ranking"], relevant[a["id"]]) for a in answers)))
        encodings = sum(a["encodings"] for a in answers) / len(answers)
        print(f"| {method} | {with_interval(columns[0])} | {with_interval(columns[1])} | {sum(columns[2]) / len(answers):.3f} "
              f"| {encodings:.0f} | {seconds / len(answers):.1f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
