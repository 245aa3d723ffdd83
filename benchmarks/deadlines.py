#!/usr/bin/env python3
"""Compares answers' times with their deadlines, with a busy core or without.

    benchmarks/deadlines.py --requests FILE [--rsd build/release/rsd] [--limit 50] [--busy 1]
        [--decoder exact] [--deadlines 0.5,1.2,1.5,2] [-- rank's own options]

Deadlines are multiples of the median prefill, which is measured first under the same load. Prints a table:
the overshoot is the answer's total time less the deadline, as a share of it; a deadline below one
prefill is to give the first-stage order at once. Standard library only.
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys


def spin():
    while True:
        pass


def rank(options, requests, *arguments):
    command = [options.rsd, "rank", "--requests", "-", "--cache-ram", "0", *options.rank, *arguments]
    done = subprocess.run(command, input=requests, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(options, requests):
    prefill = statistics.median(a["timing_ms"]["prefill"] for a in rank(options, requests, "--budget", "1"))
    print(f"median prefill {prefill:.0f} ms, {options.busy} busy processes beside it\n")
    print("| deadline, prefills | ms | in time | overshoot p50 | p99 | worst | input order | encodings | verified |")
    print("|-:|-:|-:|-:|-:|-:|-:|-:|-:|")
    for multiple in options.deadlines:
        deadline = multiple * prefill
        # The first answer finds out what things cost on this machine.
        answers = rank(options, requests, "--decoder", options.decoder, "--deadline-ms", f"{deadline:.1f}")[1:]
        over = [max(0.0, a["timing_ms"]["total"] / deadline - 1) for a in answers]
        cells = [
            f"{multiple:g}",
            f"{deadline:.0f}",
            f"{100 * sum(o == 0 for o in over) / len(over):.0f} %",
            *(f"{100 * percentile(over, share):.1f} %" for share in (0.5, 0.99)),
            f"{100 * max(over):.1f} %",
            f"{100 * sum(a['encodings'] == 0 for a in answers) / len(answers):.0f} %",
            f"{statistics.mean(a['encodings'] for a in answers):.1f}",
            f"{statistics.mean(a['verified_prefix'] for a in answers):.1f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", required=True)
    parser.add_argument("--rsd", default="build/release/rsd")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--busy", type=int, default=1, help="processes that spin meanwhile")
    parser.add_argument("--decoder", default="exact", choices=("exact", "rsd", "sd"))
    parser.add_argument("--deadlines", default="0.5,1.2,1.5,2", help="multiples of the median prefill")
    parser.add_argument("rank", nargs="*", help="further options of rsd rank, after --")
    options = parser.parse_args()
    options.deadlines = [float(text) for text in options.deadlines.split(",")]
    with open(options.requests, encoding="utf-8") as file:
        requests = "".join(line for line, _ in zip(file, range(options.limit)))
    busy = [multiprocessing.Process(target=spin, daemon=True) for _ in range(options.busy)]
    for process in busy:
        process.start()
    try:
        report(options, requests)
    finally:
        for process in busy:
            process.terminate()


if __name__ == "__main__":
    main()
