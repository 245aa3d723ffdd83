"""The runs that the exhibits need: agents trained, decoders compared. What is there is not run again."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from figures import Measured, read_records

DATASETS = ("quora", "msmarco-dl-bm25", "games", "ml1m")
KINDS = {"passages": ("quora", "msmarco-dl-bm25"), "recommendation": ("games", "ml1m")}


# The options that results depend on.
SIZE = ("data", "model", "agent", "requests", "train_requests", "supervised_steps", "rpo_requests", "rpo_steps", "seeds")


@dataclass(frozen=True)
class Agent:
    """How an agent is made: the options of `rsd train` beside where requests come from."""

    name: str
    options: tuple[str, ...]
    init: Agent | None = None  # RPO starts from it; without one the agent learns from traces


class Runs:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.out: Path = options.out
        (self.out / "agents").mkdir(parents=True, exist_ok=True)
        self.check_size()

    def check_size(self) -> None:
        """What is kept under --out was made with the same options, or it is not gone on with."""
        size = {name: str(getattr(self.options, name)) for name in SIZE}
        path = self.out / "study.json"
        if not path.exists():
            path.write_text(json.dumps(size, indent=2) + "\n", encoding="utf-8")
        before = json.loads(path.read_text(encoding="utf-8"))
        for name, value in size.items():
            if before.get(name) != value:
                option = "--" + name.replace("_", "-")
                raise SystemExit(f"study: {self.out} was begun with {option} {before.get(name)}, not {value}; choose another --out")

    def rsd(self, *arguments: object) -> None:
        command = [str(self.options.rsd), *map(str, arguments)]
        print(shlex.join(command), file=sys.stderr, flush=True)
        with (self.out / "commands.txt").open("a", encoding="utf-8") as commands:
            print(shlex.join(command), file=commands)
        code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
        if code not in (0, 7):  # 7: some requests are too long for the LLM
            raise SystemExit(f"study: rsd {arguments[0]} failed with exit code {code}")

    def engine(self) -> list[str]:
        return self.threads() + (["--model", str(self.options.model)] if self.options.model else [])

    def threads(self) -> list[str]:
        return ["--threads", str(self.options.threads)] if self.options.threads else []

    # --- agents ----------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self.out / "agents" / f"{name}.gguf"

    def file(self, dataset: str, part: str) -> Path:
        return self.options.data / f"{dataset}-{part}.jsonl"

    def traces(self, dataset: str) -> Path:
        """Traces of a training file, by way of the supervised agent for it."""
        name = f"supervised-{dataset}"
        if not self.path(name).exists():
            self.rsd(
                "train", "--requests", self.file(dataset, "train"), "--limit", self.options.train_requests,
                "--supervised-only", "--supervised-steps", self.options.supervised_steps,
                "--out", self.path(name), *self.engine(),
            )  # fmt: skip
        return Path(f"{self.path(name)}.training/traces.jsonl")

    def supervised(self, seed: int, *options: str, name: str = "supervised") -> Agent:
        return Agent(f"{name}-s{seed}", ("--seed", str(seed), *options))

    def rpo(self, seed: int, *options: str, name: str = "rpo", init: Agent | None = None) -> Agent:
        ablation = tuple(o for o in options if o in ("--no-listwise", "--no-history"))
        start = init or self.supervised(seed, *ablation, name="supervised" + "".join(ablation))
        return Agent(f"{name}-s{seed}", ("--seed", str(seed), *options), start)

    def train(self, agent: Agent, datasets: tuple[str, ...] = DATASETS) -> Path:
        """An interrupted training goes on."""
        path = self.path(agent.name)
        if path.exists():
            return path
        if agent.init is None:
            traces = [self.traces(dataset) for dataset in datasets]
            self.rsd(
                "train", "--supervised-only", "--supervised-steps", self.options.supervised_steps,
                *[part for trace in traces for part in ("--traces", trace)], *agent.options, "--out", path,
                *self.threads(),
            )  # fmt: skip
        else:
            init = self.train(agent.init, datasets)
            requests = [self.file(dataset, "train") for dataset in datasets]
            self.rsd(
                "train", "--requests", *requests, "--limit", self.options.rpo_requests, "--init", init,
                "--rpo-steps", self.options.rpo_steps, *agent.options, "--out", path,
                "--cache-ram", self.options.cache_ram, *self.engine(),
            )  # fmt: skip
        return path

    def metrics(self, agent: Agent) -> list[dict]:
        path = Path(f"{self.path(agent.name)}.training/metrics.jsonl")
        with path.open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    # --- comparisons -----------------------------------------------------------------------------

    def evaluate(
        self, name: str, agents: list[Path], policies: list[str], decoders: str, budgets: list[int]
    ) -> dict[str, dict[str, Measured]]:
        """Measured settings by data set; one prefill a request serves them all."""
        folder = self.out / "eval" / name
        self.rsd(
            "eval", "--requests", *[self.file(dataset, "test") for dataset in DATASETS],
            "--limit", self.options.requests, "--shuffle", 1, "--order-shuffles", 0,
            "--decoders", decoders, "--budgets", ",".join(map(str, budgets)), "--policy", ",".join(policies),
            *[part for agent in agents for part in ("--agent", agent)], *self.engine(),
            "--out", folder, *(["--resume"] if folder.exists() else []),
        )  # fmt: skip
        return {dataset: read_records(folder / "records" / f"{dataset}-test.jsonl") for dataset in DATASETS}
