#!/usr/bin/env python3
"""Compares the rankings of a local LLM and a server that runs the same model.

usage: same_rankings.py --model MODEL.gguf --engine vllm|sglang --engine-url URL [--requests FILE]
                        [--rsd PROGRAM] [--engine-model NAME] [--decoder NAME] [--at-least TAU]

Ranks the requests with rsd on the GGUF and on the server and prints Kendall's tau of each pair of
rankings, their mean, and how many are the same. Exits with 1 where the mean is below --at-least.
"""

import argparse
import itertools
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from report.ranking import agreement  # noqa: E402

DECODERS = {"exact": [], "rsd": ["--budget", "2"]}  # with their options


def first_lines(file, limit=None):
    """A file's lines, at most `limit` of them."""
    with file.open(encoding="utf-8") as lines:
        return list(itertools.islice(lines, limit))


def line(cells):
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def answers(options, *arguments):
    """rsd's answers, by the requests' ids."""
    command = [options.rsd, "rank", "--requests", options.requests, "--model", options.model,
               "--decoder", options.decoder, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {answer["id"]: answer for answer in lines}


def compare(here, there):
    """Prints Kendall's tau of each request's two rankings; returns their mean and how many are the same."""
    taus = {name: agreement(answer["ranking"], there[name]["ranking"])["kt"]
            for name, answer in here.items()}
    for name, tau in taus.items():
        print(f"{name}: {tau:.3f}")
    mean = sum(taus.values()) / len(taus)
    same = sum(answer["ranking"] == there[name]["ranking"] for name, answer in here.items())
    print(f"mean Kendall tau {mean:.4f}; {same} of {len(taus)} rankings are the same")
    return mean, same


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rsd", default=str(ROOT / "build" / "release" / "rsd"))
    parser.add_argument("--model", required=True)
    parser.add_argument("--requests", default=str(ROOT / "examples" / "passages.jsonl"))
    parser.add_argument("--engine", required=True, choices=["vllm", "sglang"])
    parser.add_argument("--engine-url", required=True)
    parser.add_argument("--engine-model")
    parser.add_argument("--decoder", default="exact")
    parser.add_argument("--at-least", type=float, default=0.98)
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    remote = ["--engine", options.engine, "--engine-url", options.engine_url]
    if options.engine_model:
        remote += ["--engine-model", options.engine_model]
    there = answers(options, *remote)
    mean, _ = compare(answers(options), there)
    return 0 if mean >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
