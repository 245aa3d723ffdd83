#!/usr/bin/env python3
"""What the Python binding adds to a ranking: wall clock of rank() less the time that the answer reports.

    PYTHONPATH=bindings/python RSD_LIBRARY=build/release/bindings/librsd.so \\
        python3 benchmarks/binding_overhead.py --requests FILE.jsonl [--limit 20] [--model FILE] [--threads 1]

Requests as `rsd rank` reads them. Prints medians, and the time of `import rsd`. Standard library only.
"""

import argparse
import json
import statistics
import time
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    start = time.perf_counter()
    import rsd

    import_ms = 1000 * (time.perf_counter() - start)
    with options.requests.open(encoding="utf-8") as lines:
        requests = [json.loads(line) for line in lines][: options.limit]
    total, outside = [], []
    with rsd.Ranker(options.model, threads=options.threads) as ranker:
        for request in requests:
            docs = [candidate["text"] for candidate in request["candidates"]]
            start = time.perf_counter()
            answer = ranker.rank(request.get("query"), docs, history=request.get("history"), budget=3)
            wall = 1000 * (time.perf_counter() - start)
            total.append(answer.total_ms)
            outside.append(wall - answer.total_ms)
    share = statistics.median(o / t for o, t in zip(outside, total))
    print(f"{len(requests)} requests: {statistics.median(total):.0f} ms in rsd, {statistics.median(outside):.2f} ms outside of it "
          f"({100 * share:.3f} %); import rsd {import_ms:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
