#!/usr/bin/env python3
"""What a request costs on a remote engine: encodings, questions, tokens and bytes, counted.

    python3 benchmarks/scaling/counts.py                # the table of docs/scaling.md

Ranks synthetic requests with `rsd rank --engine vllm` on the fake server of the tests, through a
proxy that counts. The prompts consist of the model's tokens, as many as with a real server; the
logits are synthetic, so figures that depend on the LLM's preferences (how many items of a list beat
the pivot of top-down) differ from a real one's. Next to each count is the result of the formulas of
docs/scaling.md, with the counted tokens of the prompt. Seeds are fixed. No times, since the fake
server's are meaningless.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks" / "remote"), str(ROOT / "tests" / "support")]

from counting_proxy import CountingProxy  # noqa: E402
from processes import FakeEngine  # noqa: E402
from same_rankings import line  # noqa: E402

WORDS = "amber brick cloud delta ember frost grain honey ivory jelly koala lemon".split()
WINDOW = 20
STRIDE = 10
LONG = 100  # candidates of a list in windows
BUILD = ROOT / "build" / "release"
HEADER = ["", "candidates", "encodings", "by formula", "questions", "tokens", "by formula", "kB out", "kB back"]
SLIDING = 1 + math.ceil((LONG - WINDOW) / STRIDE)
TOP_DOWN = 2 + math.ceil((LONG - WINDOW) / (WINDOW - 1))
CALIBRATED = TOP_DOWN - 1  # no window at the end

# The method, its options, the number of candidates, and the formulas for encodings and, with a
# prompt of P tokens and K candidates, for tokens.
METHODS = [
    ("`ar`", ["--decoder", "ar"], WINDOW, WINDOW - 1, lambda p, k: p + k - 2),
    ("`std`", ["--decoder", "std"], WINDOW, 1, lambda p, k: p),
    *((f"`rsd` T = {t}", ["--budget", str(t)], WINDOW, t, lambda p, k, t=t: p + (t - 1) * k) for t in (2, 3, 4)),
    ("`rsd` T = 3, sliding", ["--window", str(WINDOW), "--stride", str(STRIDE)], LONG, 3 * SLIDING, None),
    ("`rsd` T = 3, top-down", ["--window", str(WINDOW), "--window-method", "top-down"], LONG, 3 * TOP_DOWN, None),
    ("calibrated", ["--window", str(WINDOW), "--window-method", "calibrated"], LONG, CALIBRATED, None),
]


def requests(n_requests, n_candidates, n_words):
    """With texts of so many words."""
    chance = random.Random(1)

    def text(n):
        return " ".join(chance.choices(WORDS, k=n))

    return "".join(json.dumps({"id": f"r{r}", "query": text(8),
                               "candidates": [{"id": f"c{c}", "text": text(n_words)} for c in range(n_candidates)]}) + "\n"
                   for r in range(n_requests))


def counted(options, arguments, n_candidates):
    """Means over the requests: encodings, questions, tokens, bytes out, bytes back."""
    server = FakeEngine(options.fake_engine, *(["--no-generate"] if options.path == "completions" else []))
    with tempfile.TemporaryDirectory() as folder, server, CountingProxy(server.port) as proxy:
        file = pathlib.Path(folder) / "requests.jsonl"
        file.write_text(requests(options.requests, n_candidates, options.words))
        command = [options.rsd, "rank", "--requests", file, "--engine", "vllm", "--engine-url",
                   f"http://127.0.0.1:{proxy.port}", "--parallel", "1", *arguments]
        command += ["--model", options.model] if options.model else []
        done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "no_proxy": "127.0.0.1"})
    answers = [json.loads(one) for one in done.stdout.splitlines()]
    rounds = proxy.rounds()
    sums = (sum(a["encodings"] for a in answers), len(rounds), sum(a["tokens_encoded"] for a in answers),
            sum(e.sent for e in rounds), sum(e.received for e in rounds))
    return [n / len(answers) for n in sums]


def row(name, n_candidates, encodings, tokens, means):
    """The row of a method; `tokens` is the formula's result, None if there is no formula."""
    n_encodings, n_questions, n_tokens, out, back = means
    return [name, str(n_candidates), f"{n_encodings:.1f}", str(encodings), f"{n_questions:.1f}", f"{n_tokens:,.0f}",
            "" if tokens is None else f"{tokens:,.0f}", f"{out / 1000:,.1f}", f"{back / 1000:,.1f}"]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rsd", default=BUILD / "rsd")
    parser.add_argument("--fake-engine", default=BUILD / "tests" / "rsd_fake_engine")
    parser.add_argument("--model", help="a GGUF, for its tokens; without it rsd's default model")
    parser.add_argument("--path", default="generate", choices=["generate", "completions"])
    parser.add_argument("--requests", type=int, default=10)
    parser.add_argument("--words", type=int, default=80, help="of a candidate's text")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    print(line(HEADER), line(["-"] * len(HEADER)), sep="\n")
    _, _, prompt, _, _ = counted(options, ["--decoder", "std"], WINDOW)
    for name, more, n_candidates, encodings, tokens in METHODS:
        means = counted(options, more, n_candidates)
        n_tokens = tokens(prompt, n_candidates) if tokens else None
        print(line(row(name, n_candidates, encodings, n_tokens, means)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
