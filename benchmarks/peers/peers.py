#!/usr/bin/env python3
"""Compares rsd with other programs in use, in turn, on the same requests, LLM and threads.

    python3 -m venv peers && peers/bin/pip install -r benchmarks/peers/requirements.txt
    peers/bin/python benchmarks/peers/peers.py --data DIR --out out

README.md names the files that DIR holds. Every contender is a process that stays; requests go round,
each to all of them in turn, the turn's beginning moving on. Writes out/report.html, out/tables.md and
out/measured.json. gnuplot for the plots.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import tables  # noqa: E402
from blocks import Blocks  # noqa: E402
from contenders import Contender, Peer, Request, Rsd, close, in_turn, prompts  # noqa: E402
from lists import read, resized  # noqa: E402
from report import page  # noqa: E402

WORDS = 12  # of each candidate for growing numbers of them: 100 fit into a small context
CACHE = Path.home() / ".cache/rsd/models"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the request files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rsd", type=Path, default=ROOT / "build/release/rsd")
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file all sides load; `rsd model inspect` names the default model's")
    parser.add_argument("--shipped", type=Path, default=CACHE / "smollm2-135m-instruct-q4_1.gguf", help="the LLM as its users have it")
    parser.add_argument("--policy", help="of rsd; without it its default")
    parser.add_argument("--limit", type=int, default=20, help="requests of each file")
    parser.add_argument("--growth-limit", type=int, default=5, help="requests of each size")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, help="without it all; blocks only with --blocks-model")
    blocks = parser.add_argument_group("section blocks")
    blocks.add_argument("--blocks-model", type=Path, help="GGUF file of a model that is tuned for prompts in blocks (README.md says how it is made)")
    blocks.add_argument("--blocks-cache-ram", type=int, default=6144, help="MiB for the blocks that each process keeps")
    blocks.add_argument("--blocks-token-bytes", type=int, default=23_040, help="of a token in the LLM's cache; SmolLM2-135M: 30 layers of 2 * 192 values of 2 bytes")
    blocks.add_argument("--blocks-scale", type=float, default=1, help="of the numbers of requests")
    blocks.add_argument("--blocks-cases", nargs="+", metavar="CASE", help="only these cases, by name, such as passages-20x100")
    blocks.add_argument("--lists", action="store_true", help="FIRST and a generated list beside lists of 20; slow")
    blocks.add_argument("--quick", action="store_true", help="only what the goals need: about ten minutes on two idle cores")
    options = parser.parse_args()
    options.sections = options.sections or [name for name in SECTIONS if name != "blocks" or options.blocks_model]
    if "blocks" in options.sections and not options.blocks_model:
        parser.error("section blocks needs --blocks-model")
    return options


class Comparison:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.ours = self.ours_with(options.model)
        self.warm: set[Contender] = set()

    def rsd(self, name: str, *more: str, model: Path | None = None, cache_mib: int = 0) -> Rsd:
        policy = ["--policy", self.options.policy] if self.options.policy else []
        ours = self.ours_with(model or self.options.model)
        return Rsd(name, self.options.rsd, [*ours, *(policy if more[1] in ("rsd", "exact") else []), *more], cache_mib)

    def ours_with(self, model: Path) -> list[str]:
        return ["--model", str(model), "--threads", str(self.options.threads)]

    def peer(self, name: str, kind: str, *more: str, model: Path | None = None, context: int = 4096) -> Peer:
        path = str(model or self.options.model)
        return Peer(name, kind, ["--model", path, "--threads", str(self.options.threads), "--ctx-size", str(context), *more])

    def run(self, contenders: list[Contender], requests: list[Request]) -> list[dict[str, Any]]:
        """One dictionary a request: its answers by contender."""
        rendered = prompts(self.options.rsd, self.ours, requests)
        asked = [{**request, "prompt": prompt} for request, prompt in zip(requests, rendered, strict=True)]
        for contender in contenders:
            if contender not in self.warm:
                contender.rank(asked[0])
        self.warm.update(contenders)
        return in_turn(contenders, asked)

    def head_to_head(self) -> tuple[list[page.Table | page.Plot], dict[str, Any]]:
        contenders: list[Contender] = [
            *(self.rsd(f"rsd T={t}", "--decoder", "rsd", "--budget", str(t)) for t in (1, 2, 3)),
            self.rsd("exact", "--decoder", "exact"),
            self.rsd("ar", "--decoder", "ar"),
            self.peer("generated list", "generation"),
            self.peer("generated list, prompt lookup", "generation", "--lookup", "10", context=2048),
            self.peer("generated list, as shipped", "generation", model=self.options.shipped),
            self.peer("FIRST, first token", "first-token"),
            self.peer("MiniLM embeddings", "embeddings"),
        ]
        parts: list[page.Table | page.Plot] = []
        kept = {}
        for name in ("quora-test", "games-test"):
            print(name, file=sys.stderr)
            measured = self.run(contenders, read(self.options.data / f"{name}.jsonl", self.options.limit))
            peaks = {c.name: c.peak_mib() for c in contenders}
            parts += [tables.contenders(name, measured, peaks), tables.ratios(name, measured)]
            kept[name] = tables.plain(measured)
        close(contenders)
        return parts, kept

    def growth(self) -> tuple[list[page.Table | page.Plot], dict[str, Any]]:
        def made(context: int) -> list[Contender]:
            size = ["--ctx-size", str(context)]
            return [
                self.rsd("rsd T=2", "--decoder", "rsd", "--budget", "2", *size),
                self.rsd("exact", "--decoder", "exact", *size),
                self.rsd("ar", "--decoder", "ar", *size),
                self.peer("generated list", "generation", context=context),
                self.peer("FIRST, first token", "first-token", context=context),
                self.peer("MiniLM embeddings", "embeddings"),
            ]

        base = read(self.options.data / "msmarco-dl-bm25-k100-test.jsonl", self.options.growth_limit)
        contenders = made(8192)
        by_count, by_words = {}, {}
        for count in (5, 10, 20, 50, 100):
            print(f"{count} candidates of {WORDS} words", file=sys.stderr)
            by_count[count] = self.run(contenders, [resized(r, count, WORDS) for r in base])
        for words in (10, 20, 40, 80):
            print(f"20 candidates of {words} words", file=sys.stderr)
            by_words[words] = self.run(contenders, [resized(r, 20, words) for r in base])
        close(contenders)
        parts = [
            *tables.growth(f"Candidates, {WORDS} words each", "candidates", by_count),
            *tables.growth("Length of 20 candidates", "words of a candidate", by_words),
        ]
        kept = {"candidates": {k: tables.plain(m) for k, m in by_count.items()}, "words": {w: tables.plain(m) for w, m in by_words.items()}}
        return parts, kept

    def blocks(self) -> tuple[list[page.Table | page.Plot], dict[str, Any]]:
        return Blocks(self).section()

    def throughput(self) -> tuple[list[page.Table | page.Plot], dict[str, Any]]:
        """For one file: rsd with N requests in progress, and generated lists one after the
        other."""
        requests = read(self.options.data / "quora-test.jsonl", self.options.limit)
        settings = [(f"rsd T=2, {n} at once", ["--decoder", "rsd", "--budget", "2", "--parallel", str(n)]) for n in (1, 2, 3, 4)]
        seconds: dict[str, list[float]] = {}
        generation = self.peer("generated list", "generation")
        for turn in range(3):
            for name, more in settings[turn:] + settings[:turn]:
                rsd = self.rsd(name, *more)
                rsd.rank(requests[0])
                seconds.setdefault(name, []).append(burst(rsd, requests))
                rsd.close()
            start = time.perf_counter()
            for request in requests[: max(1, len(requests) // 4)]:
                generation.rank(request)
            share = max(1, len(requests) // 4) / len(requests)
            seconds.setdefault("generated list, one at a time", []).append((time.perf_counter() - start) / share)
        close([generation])
        return [tables.throughput(seconds, len(requests))], seconds


def burst(rsd: Rsd, requests: list[Request]) -> float:
    """Seconds until all are answered that were handed over at once."""
    assert rsd.process.stdin and rsd.process.stdout
    lines = "".join(json.dumps(rsd.line_of(request)) + "\n" for request in requests)
    start = time.perf_counter()
    rsd.process.stdin.write(lines)
    rsd.process.stdin.flush()
    for _ in requests:
        rsd.process.stdout.readline()
    return time.perf_counter() - start


SECTIONS = {
    "head-to-head": ("Side by side", Comparison.head_to_head),
    "growth": ("Growth", Comparison.growth),
    "throughput": ("Throughput", Comparison.throughput),
    "blocks": ("Prompts in blocks", Comparison.blocks),
}


def report(options: argparse.Namespace, load_before: float, sections: list[page.Section], measured: dict[str, Any]) -> None:
    """All that was measured so far."""
    facts = tables.facts(options, load_before)
    page.write(options.out / "report.html", "rsd and its peers", facts, [page.section_html(s) for s in sections])
    page.replace(options.out / "tables.md", tables.markdown(facts, sections))
    page.replace(options.out / "measured.json", json.dumps({"facts": facts, "measured": measured}, indent=1) + "\n")


def main() -> None:
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    comparison = Comparison(options)
    sections, measured = [], {}
    before = os.getloadavg()[0]
    for name in options.sections:
        title, make = SECTIONS[name]
        parts, measured[name] = make(comparison)
        sections.append(page.Section(title, "", parts))
        report(options, before, sections, measured)
    print((options.out / "tables.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
