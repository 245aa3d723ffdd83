"""The runs that the exhibits need: agents trained, decoders compared. What is there is not run again."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from figures import Measured, read_records

DATASETS = ("quora", "msmarco-dl-bm25", "games", "ml1m")
KINDS = {"passages": ("quora", "msmarco-dl-bm25"), "recommendation": ("games", "ml1m")}


# At which budgets variants of the agent are compared.
VARIANT_BUDGETS = [2, 3]

# The options that results depend on.
SIZE = ("data", "traces", "model", "agent", "requests", "train_requests", "supervised_steps", "rpo_requests", "rpo_steps", "rpo_learning_rate", "seeds", "samples")


@dataclass(frozen=True)
class Agent:
    """The options of `rsd train` that make an agent, except the sources of requests."""

    name: str
    options: tuple[str, ...]
    init: Agent | None = None  # RPO starts from it; without one the agent learns from traces
    datasets: tuple[str, ...] = DATASETS  # whose training files it sees


class Runs:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.out: Path = options.out
        self.printing = threading.Lock()
        for dataset in DATASETS if options.traces else ():
            self.traces(dataset)  # fail here, not after hours of training
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
            begun_with = before.get(name, "None")  # where the option is younger than the study
            if begun_with != value:
                option = "--" + name.replace("_", "-")
                raise SystemExit(f"study: {self.out} was begun with {option} {begun_with}, not {value}; choose another --out")

    def rsd(self, *arguments: object) -> None:
        command = [str(self.options.rsd), *map(str, arguments)]
        with self.printing, (self.out / "commands.txt").open("a", encoding="utf-8") as commands:
            print(shlex.join(command), file=sys.stderr, flush=True)
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

    def collector(self, dataset: str) -> Agent:
        """The supervised agent of one training file, whose making leaves that file's traces."""
        return Agent(f"supervised-{dataset}", (), datasets=(dataset,))

    def supervised(self, seed: int, *options: str, name: str = "supervised") -> Agent:
        return Agent(f"{name}-s{seed}", ("--seed", str(seed), *options))

    def rpo(self, seed: int, *options: str, name: str = "rpo", init: Agent | None = None) -> Agent:
        ablation = tuple(o for o in options if o in ("--no-listwise", "--no-history"))
        start = init or self.supervised(seed, *ablation, name="supervised" + "".join(ablation))
        return Agent(f"{name}-s{seed}", ("--seed", str(seed), *options), start, start.datasets)

    def train(self, agents: Iterable[Agent]) -> None:
        """Trains the missing agents, `--jobs` at a time. An interrupted training continues."""
        wanted = {agent.name: agent for agent in agents}
        inits = {agent.init.name: agent.init for agent in wanted.values() if agent.init}
        learners = [agent for agent in {**inits, **wanted}.values() if not agent.init]
        collectors = {} if self.options.traces else {dataset: self.collector(dataset) for agent in learners for dataset in agent.datasets}
        collecting = {agent.name for agent in collectors.values()}
        self.in_parallel(self.collect, collectors.values())
        self.in_parallel(self.learn, [agent for agent in learners if agent.name not in collecting])
        self.in_parallel(self.optimise, [agent for agent in wanted.values() if agent.init])

    def in_parallel(self, make: Callable[[Agent], None], agents: Iterable[Agent]) -> None:
        missing = [agent for agent in agents if not self.path(agent.name).exists()]
        with ThreadPoolExecutor(max_workers=self.options.jobs) as pool:
            list(pool.map(make, missing))

    def collect(self, agent: Agent) -> None:
        requests = [self.file(dataset, "train") for dataset in agent.datasets]
        self.rsd(
            "train", "--requests", *requests, "--limit", self.options.train_requests,
            "--supervised-only", "--supervised-steps", self.options.supervised_steps,
            "--out", self.path(agent.name), *self.engine(),
        )  # fmt: skip

    def traces(self, dataset: str) -> list[Path]:
        """Those in --traces, or else those that the data set's collector has left."""
        if not self.options.traces:
            return [Path(f"{self.path(self.collector(dataset).name)}.training/traces.jsonl")]
        found = sorted(self.options.traces.glob(f"{dataset}-*.jsonl"))
        if not found:
            raise SystemExit(f"study: no traces {dataset}-*.jsonl in {self.options.traces}")
        return found

    def learn(self, agent: Agent) -> None:
        traces = [trace for dataset in agent.datasets for trace in self.traces(dataset)]
        self.rsd(
            "train", "--supervised-only", "--supervised-steps", self.options.supervised_steps,
            *[part for trace in traces for part in ("--traces", trace)], *agent.options,
            "--out", self.path(agent.name), *self.threads(),
        )  # fmt: skip

    def optimise(self, agent: Agent) -> None:
        requests = [self.file(dataset, "train") for dataset in agent.datasets]
        self.rsd(
            "train", "--requests", *requests, "--limit", self.options.rpo_requests,
            "--init", self.path(agent.init.name), "--rpo-steps", self.options.rpo_steps,
            "--rpo-learning-rate", self.options.rpo_learning_rate, *agent.options,
            "--out", self.path(agent.name), "--cache-ram", self.options.cache_ram, *self.engine(),
        )  # fmt: skip

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

    # --- programs that measure request by request ------------------------------------------------

    def ceilings(self, name: str, dataset: str, n_items: int | None, agent: Path, model: str | None) -> list[dict]:
        """The lines of the program `ceiling` for the test requests of a data set, cut to `n_items` candidates in the
        order of the file, then shuffled."""
        sizes = ["--samples", str(self.options.samples)]
        name = file_name(name, agent)
        return self.measured("ceiling", name, self.requests_of(name, dataset, self.options.requests, n_items), agent, model, sizes)

    def variances(self, dataset: str, agent: Path, model: str | None) -> list[dict]:
        """The lines of the program `variance` for the first test requests of a data set, shuffled."""
        requests, batches, rollouts = self.options.variance_requests, self.options.batches, self.options.variance_rollouts
        name = file_name(f"variance-{dataset}-{requests}-{batches}-{rollouts}-{model or 'default'}", agent)
        sizes = ["--batches", str(batches), "--rollouts", str(rollouts)]
        return self.measured("variance", name, self.requests_of(name, dataset, requests, None), agent, model, sizes)

    def requests_of(self, name: str, dataset: str, limit: int, n_items: int | None) -> Path:
        folder = self.out / "ceilings"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.requests.jsonl"
        write_shuffled(self.file(dataset, "test"), path, limit, n_items)
        return path

    def measured(self, program: str, name: str, requests: Path, agent: Path, model: str | None, sizes: list[str]) -> list[dict]:
        """The program's lines, one per request. An interrupted measurement continues."""
        lines = requests.parent / f"{name}.jsonl"
        wanted = len(requests.read_text(encoding="utf-8").splitlines())
        done = whole_lines(lines)
        if len(done) < wanted:
            command = [
                str(self.options.rsd.parent / "benchmarks" / program), "--requests", str(requests), "--agent", str(agent),
                *sizes, "--skip", str(len(done)), *self.threads(), *(["--model", model] if model else []),
            ]  # fmt: skip
            with lines.open("w", encoding="utf-8") as out:
                out.writelines(line + "\n" for line in done)
                out.flush()
                print(shlex.join(command), file=sys.stderr, flush=True)
                subprocess.run(command, stdout=out, check=True)
            with (self.out / "commands.txt").open("a", encoding="utf-8") as commands:
                print(shlex.join(command), file=commands)
        return [json.loads(line) for line in whole_lines(lines)]

    def variants(self, agents: Iterable[Agent]) -> dict[str, dict[str, Measured]]:
        """Compares several agents. One comparison serves all exhibits with the same agents."""
        names = sorted({agent.name for agent in agents})
        name = "variants-" + hashlib.sha256(" ".join(names).encode()).hexdigest()[:8]
        return self.evaluate(name, [self.path(n) for n in names], ["agent", "replay"], "ar,std,sd,rsd", VARIANT_BUDGETS)


def file_name(name: str, agent: Path) -> str:
    """Of what was measured with this agent and no other; a model may be a path."""
    return f"{name.replace('/', '_')}-{hashlib.sha256(agent.read_bytes()).hexdigest()[:8]}"


def write_shuffled(source: Path, target: Path, limit: int, n_items: int | None) -> None:
    """The first `limit` requests with their first `n_items` candidates in random order, the same each time."""
    rng = random.Random(1)
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        for line, _ in zip(lines, range(limit), strict=False):
            request = json.loads(line)
            candidates = request["candidates"][:n_items]
            kept = {key: value for key, value in request.items() if key != "relevance"}
            print(json.dumps({**kept, "candidates": rng.sample(candidates, len(candidates))}, ensure_ascii=False), file=out)


def whole_lines(path: Path) -> list[str]:
    """Those of a file that may end within one."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()
