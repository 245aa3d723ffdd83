"""The sides of the comparison, each a process that reads a request a line and answers a line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Request = dict[str, Any]

OF_A_REQUEST = ("id", "task", "query", "history", "candidates", "relevance")


@dataclass(frozen=True)
class Answer:
    """`total_ms` is the wall clock, from the request's line to the answer's."""

    ranking: list[str]
    prefill_ms: float
    decode_ms: float
    total_ms: float
    encodings: int | None
    wrong: int  # places of a generated list that had to be repaired
    tokens: int = 0  # that went through the LLM
    parts: dict[str, float] = field(default_factory=dict)  # of rsd: the answer's timing_ms
    windows: int = 0  # in which rsd ranked the list; 0 = one prompt


class Contender:
    """Loads when it is made; `rank` waits for the answer. `close` gives the peak memory in MiB."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rank(self, request: Request) -> Answer:
        line = json.dumps(self.line_of(request)) + "\n"
        assert self.process.stdin and self.process.stdout
        start = time.perf_counter()
        self.process.stdin.write(line)
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        total = 1000 * (time.perf_counter() - start)
        if not said:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()} at request {request['id']}")
        reply = json.loads(said)
        if "error" in reply:
            raise RuntimeError(f"{self.name}, request {request['id']}: {reply['error']}")
        return self.answer_of(reply, total)

    def line_of(self, request: Request) -> Request:
        return request

    def answer_of(self, reply: dict[str, Any], total: float) -> Answer:
        return Answer(reply["ranking"], reply["prefill_ms"], reply["decode_ms"], total, None, reply["wrong"], reply["tokens"])

    def peak_mib(self) -> float:
        """The kernel's high-water mark, the mapped weights included."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else float("nan")

    def close(self) -> None:
        self.process.communicate()


class Rsd(Contender):
    def __init__(self, name: str, rsd: Path, options: list[str], cache_mib: int = 0) -> None:
        super().__init__(name, [str(rsd), "rank", "--requests", "-", "--cache-ram", str(cache_mib), *options])
        self.asked = 0

    def line_of(self, request: Request) -> Request:
        self.asked += 1  # rsd refuses an id that it has seen
        return {**{key: request[key] for key in OF_A_REQUEST if key in request}, "id": str(self.asked)}

    def answer_of(self, reply: dict[str, Any], total: float) -> Answer:
        times = reply["timing_ms"]
        windows = reply.get("windows", {}).get("count", 0)
        tokens = reply["tokens_encoded"]
        return Answer(reply["ranking"], times["prefill"], total - times["prefill"], total, reply["encodings"], 0, tokens, times, windows)


class Peer(Contender):
    """A worker.py; ready once it has loaded."""

    def __init__(self, name: str, kind: str, options: list[str]) -> None:
        super().__init__(name, [sys.executable, str(Path(__file__).with_name("worker.py")), kind, *options])
        assert self.process.stdout
        if not self.process.stdout.readline():
            raise RuntimeError(f"{name} could not start; are requirements.txt's packages installed?")


def prompts(rsd: Path, options: list[str], requests: list[Request]) -> list[Request]:
    """rsd's own prompts, as tokens, with the identifier of each candidate."""
    lines = "".join(json.dumps({key: r[key] for key in OF_A_REQUEST if key in r}) + "\n" for r in requests)
    done = subprocess.run([str(rsd), "prompt", "render", "--requests", "-", *options], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def in_turn(contenders: list[Contender], requests: list[Request]) -> list[dict[str, Any]]:
    """Each request goes to all contenders, the turn's beginning moving on. One dictionary a request: its answers by
    contender."""
    measured = []
    for number, request in enumerate(requests):
        turn = number % len(contenders)
        answers = {c.name: c.rank(request) for c in contenders[turn:] + contenders[:turn]}
        measured.append({"request": request, "answers": answers})
        print(f"\r{number + 1} of {len(requests)} requests", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return measured


def close(contenders: list[Contender]) -> None:
    for contender in contenders:
        contender.close()
