#!/usr/bin/env python3
"""The paper's exhibits on our data: trains the agents they need, compares them, writes report.html.

    python3 benchmarks/study/study.py ceiling variance methods ablations curves sensitivity transfer --data DIR --out study

DIR holds {quora,msmarco-dl-bm25,games,ml1m}-{train,test}.jsonl. Finished runs are kept under --out
and not repeated; an interrupted study continues. Needs a built rsd, and gnuplot for the plots. No
Python packages.
"""

from __future__ import annotations

import argparse
import html
import os
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import exhibits  # noqa: E402
from report import page  # noqa: E402
from runs import Agent, Runs  # noqa: E402

EXHIBITS = ("ceiling", "variance", "methods", "ablations", "curves", "sensitivity", "transfer")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("exhibits", nargs="+", choices=EXHIBITS, metavar="EXHIBIT", help=", ".join(EXHIBITS))
    parser.add_argument("--data", type=Path, required=True, help="folder of the request files")
    parser.add_argument("--traces", type=Path, help="folder of traces collected before, as {quora,…}-….jsonl; then none are collected")
    parser.add_argument("--out", type=Path, required=True, help="agents, comparisons, report.html")
    parser.add_argument("--rsd", type=Path, default=ROOT / "build/release/rsd")
    parser.add_argument("--model", help="GGUF model; without it the default model")
    parser.add_argument("--agent", type=Path, default=ROOT / "models/agent.gguf", help="of the exhibits ceiling, variance and methods")
    parser.add_argument("--ceiling-models", nargs="+", default=["default", "default-blocks"], help="LLMs of the exhibit ceiling")
    parser.add_argument("--samples", type=int, default=32, help="of each proposal, in the exhibit ceiling")
    parser.add_argument("--variance-models", nargs="+", default=["default-blocks"], help="LLMs of the exhibit variance")
    parser.add_argument("--variance-requests", type=int, default=25, help="of each test file, in the exhibit variance")
    parser.add_argument("--variance-rollouts", type=int, default=6, help="trajectories of a batch, G, in the exhibit variance")
    parser.add_argument("--batches", type=int, default=32, help="gradient estimates of a request, in the exhibit variance")
    parser.add_argument("--threads", type=int, help="of rsd")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time; each has --threads")
    parser.add_argument("--requests", type=int, default=100, help="of each test file")
    parser.add_argument("--train-requests", type=int, default=150, help="of each training file, for traces")
    parser.add_argument("--supervised-steps", type=int, default=1500)
    parser.add_argument("--rpo-requests", type=int, default=25, help="of each training file, for RPO")
    parser.add_argument("--rpo-steps", type=int, default=100)
    parser.add_argument("--rpo-learning-rate", type=float, default=1e-3, help="higher than rsd train's: the runs are short")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cache-ram", type=int, default=4096, help="MiB for encoded prompts in RPO")
    return parser.parse_args()


def facts(options: argparse.Namespace, runs: Runs) -> list[str]:
    model = html.escape(options.model or "the default model")
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.processor(),
    )
    commands = html.escape((runs.out / "commands.txt").read_text(encoding="utf-8"))
    traces = f"the traces in {html.escape(str(options.traces))}" if options.traces else f"traces of {options.train_requests} requests a training file"
    return [
        f"LLM: {model}. Test requests: the first {options.requests} of each file, candidates shuffled with seed 1.",
        f"Agents of (b) to (e): {traces}, {options.supervised_steps} supervised steps at most; "
        f"RPO on {options.rpo_requests} requests a file, {options.rpo_steps} steps, learning rate {options.rpo_learning_rate}; seeds {', '.join(map(str, options.seeds))}.",
        f"Machine: {html.escape(cpu)}, {os.cpu_count()} cores; load average now {os.getloadavg()[0]:.1f}.",
        f"<details><summary>Commands</summary><pre>{commands}</pre></details>",
    ]


def agents_of(exhibit: str, runs: Runs, seeds: list[int]) -> list[Agent]:
    """What an exhibit compares; the first seed stands for all where one is enough."""
    if exhibit == "ablations":
        return sum(exhibits.ablation_agents(runs, seeds).values(), [])
    if exhibit == "curves":
        return sum(exhibits.curve_agents(runs, seeds).values(), [])
    if exhibit == "sensitivity":
        return [runs.supervised(seeds[0]), *exhibits.sensitivity_agents(runs, seeds[0]).values()]
    if exhibit == "transfer":
        return list(exhibits.transfer_agents(runs, seeds[0]).values())
    return []


def main() -> None:
    options = parse_arguments()
    runs = Runs(options)
    agents = {exhibit: agents_of(exhibit, runs, options.seeds) for exhibit in options.exhibits}
    runs.train(sum(agents.values(), []))
    compared = [agent for exhibit, group in agents.items() if exhibit != "curves" for agent in group]
    measured = runs.variants(compared) if compared else {}
    make = {
        "ceiling": lambda: exhibits.ceiling(runs, options.agent, options.ceiling_models),
        "variance": lambda: exhibits.variance(runs, options.agent, options.variance_models),
        "methods": lambda: exhibits.methods(runs, options.agent),
        "ablations": lambda: exhibits.ablations(runs, options.seeds, measured),
        "curves": lambda: exhibits.curves(runs, options.seeds),
        "sensitivity": lambda: exhibits.sensitivity(runs, options.seeds[0], measured),
        "transfer": lambda: exhibits.transfer(runs, options.seeds[0], measured),
    }
    kept = options.out / "sections"
    kept.mkdir(exist_ok=True)
    for name in EXHIBITS:
        if name not in options.exhibits:
            continue
        page.replace(kept / f"{name}.html", page.section_html(make[name]()))
        done = [(kept / f"{e}.html").read_text(encoding="utf-8") for e in EXHIBITS if (kept / f"{e}.html").exists()]
        page.write(options.out / "report.html", "Reinforcement speculative decoding: the study", facts(options, runs), done)
    print(options.out / "report.html")


if __name__ == "__main__":
    main()
