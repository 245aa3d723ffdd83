#!/usr/bin/env python3
"""A fleet of LLM servers under load: what queueing, affinity and failures do to rankings.

    python3 benchmarks/scaling/simulate.py                 # the tables of docs/scaling.md
    python3 benchmarks/scaling/simulate.py --prefill-rate 20000 --prompt 4000 --replicas 1 8

Discrete events, no LLM: what a pass costs is an assumption, of which every figure is an option, and so are the
shape of the requests and the fleet. What is simulated: Poisson arrivals; a request makes its rounds one after the
other; a replica makes a pass over what waits, up to a number of tokens, first come first (continuous batching with whole
prompts; a further round comes anew); it keeps the prompts it has seen, up to a number of tokens, least recently used out; a replica that
dies loses its cache, and what it had is asked again elsewhere, at once and without exception: none is lost by
construction. Seeds are fixed. No Python packages.
"""

from __future__ import annotations

import argparse
import collections
import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fleet:
    replicas: int = 8
    prefill_rate: float = 60_000  # tokens a second, in full passes
    pass_ms: float = 12.0  # of a pass in addition to its tokens: reading the weights once,
                           # launching kernels
    pass_tokens: int = 8192  # at most
    cache_tokens: int = 400_000
    round_trip_ms: float = 1.0  # network and our own overhead a round
    affinity: bool = True  # all rounds of a request go to the replica that has its prompt
    mtbf_s: float = math.inf  # of a replica
    repair_s: float = 60.0


@dataclass(frozen=True)
class Load:
    rate: float  # requests a second
    seconds: float = 20.0
    prompt: int = 2200  # tokens
    items: int = 20
    rounds: int = 2  # encodings
    whole: bool = True  # a round verifies the whole list, else one position (`ar`)
    seed: int = 1

    def tokens_of(self, number: int) -> int:
        """Tokens after the prompt in a round; the first round is the prompt alone."""
        return 0 if number == 0 else (self.items if self.whole else 1)


@dataclass
class Request:
    number: int
    arrival: float
    round: int = 0
    replica: Replica | None = None
    moved: int = 0


class Replica:
    def __init__(self, fleet: Fleet):
        self.fleet = fleet
        self.alive = True
        self.waiting: collections.deque[Request] = collections.deque()
        self.running: list[tuple[Request, int]] = []
        self.cache: collections.OrderedDict[int, int] = collections.OrderedDict()
        self.cached_tokens = 0
        self.epoch = 0  # of its life: passes of an earlier one count no more
        self.busy_s = 0.0

    def load(self) -> int:
        return len(self.waiting) + len(self.running)

    def needs(self, request: Request, load: Load) -> int:
        known = request.number in self.cache
        return load.tokens_of(request.round) + (0 if known else load.prompt)

    def keep(self, request: Request, tokens: int) -> None:
        if request.number not in self.cache:
            self.cached_tokens += tokens
        self.cache[request.number] = tokens
        self.cache.move_to_end(request.number)
        while self.cached_tokens > self.fleet.cache_tokens and len(self.cache) > 1:
            self.cached_tokens -= self.cache.popitem(last=False)[1]

    def forget(self, request: Request) -> None:
        self.cached_tokens -= self.cache.pop(request.number, 0)


@dataclass
class Outcome:
    latencies: list[float] = field(default_factory=list)  # ms, of requests that arrived in the second half
    n_arrived: int = 0
    n_done: int = 0
    n_moved: int = 0
    tokens: int = 0
    passes: int = 0
    busy: float = 0.0  # share of the replicas' time, while requests arrive
    backlog: int = 0  # when arrivals ended

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


class Simulation:
    def __init__(self, fleet: Fleet, load: Load):
        self.fleet, self.load = fleet, load
        self.random = random.Random(load.seed)
        self.replicas = [Replica(fleet) for _ in range(fleet.replicas)]
        self.homeless: collections.deque[Request] = collections.deque()  # while no replica lives
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.now = 0.0
        self.outcome = Outcome()

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.events, (time, next(self.order), action))

    def run(self) -> Outcome:
        self.at(self.random.expovariate(self.load.rate), self.arrive)
        if math.isfinite(self.fleet.mtbf_s):
            for replica in self.replicas:
                self.at(self.random.expovariate(1 / self.fleet.mtbf_s), lambda r=replica: self.die(r))
        self.at(self.load.seconds, self.note_backlog)
        while self.events:
            self.now, _, action = heapq.heappop(self.events)
            action()
            if self.now > self.load.seconds and self.outcome.n_done == self.outcome.n_arrived:
                break
        return self.outcome

    def note_backlog(self) -> None:
        self.outcome.backlog = self.outcome.n_arrived - self.outcome.n_done
        self.outcome.busy = sum(r.busy_s for r in self.replicas) / (self.load.seconds * len(self.replicas))

    def arrive(self) -> None:
        if self.now >= self.load.seconds:
            return
        self.outcome.n_arrived += 1
        self.send(Request(self.outcome.n_arrived, self.now))
        self.at(self.now + self.random.expovariate(self.load.rate), self.arrive)

    def send(self, request: Request) -> None:
        home = request.replica
        if not (self.fleet.affinity and home and home.alive):
            alive = [replica for replica in self.replicas if replica.alive]
            if not alive:
                self.homeless.append(request)
                return
            least = min(replica.load() for replica in alive)
            home = self.random.choice([replica for replica in alive if replica.load() == least])
        request.replica = home
        home.waiting.append(request)
        if not home.running:
            self.start_pass(home)

    def start_pass(self, replica: Replica) -> None:
        tokens = 0
        while replica.waiting:
            needed = replica.needs(replica.waiting[0], self.load)
            if replica.running and tokens + needed > self.fleet.pass_tokens:
                break
            replica.running.append((replica.waiting.popleft(), needed))
            tokens += needed
        if not replica.running:
            return
        seconds = self.fleet.pass_ms / 1000 + tokens / self.fleet.prefill_rate
        self.outcome.tokens += tokens
        self.outcome.passes += 1
        replica.busy_s += max(0.0, min(self.now + seconds, self.load.seconds) - self.now)
        self.at(self.now + seconds, lambda epoch=replica.epoch: self.end_pass(replica, epoch))

    def end_pass(self, replica: Replica, epoch: int) -> None:
        if epoch != replica.epoch:
            return  # it died meanwhile
        done, replica.running = replica.running, []
        for request, _ in done:
            request.round += 1
            replica.keep(request, self.load.prompt)
            if request.round < self.load.rounds:
                self.at(self.now + self.fleet.round_trip_ms / 1000, lambda r=request: self.send(r))
            else:
                self.end(request)
        self.start_pass(replica)

    def end(self, request: Request) -> None:
        if request.replica:
            request.replica.forget(request)
        self.outcome.n_done += 1
        if request.arrival > self.load.seconds / 2:
            self.outcome.latencies.append(1000 * (self.now - request.arrival) + self.fleet.round_trip_ms)

    def die(self, replica: Replica) -> None:
        replica.alive = False
        replica.epoch += 1
        lost = [request for request, _ in replica.running] + list(replica.waiting)
        replica.running, replica.cached_tokens = [], 0
        replica.waiting.clear()
        replica.cache.clear()
        for request in lost:
            request.moved += 1
            self.outcome.n_moved += 1
            self.send(request)
        self.at(self.now + self.fleet.repair_s, lambda: self.revive(replica))

    def revive(self, replica: Replica) -> None:
        replica.alive = True
        waiting, self.homeless = self.homeless, collections.deque()
        for request in waiting:
            self.send(request)
        self.at(self.now + self.random.expovariate(1 / self.fleet.mtbf_s), lambda: self.die(replica))


def capacity(fleet: Fleet, load: Load, p99_ms: float) -> float:
    """The highest rate a replica at which 99 % of the requests are answered in time, found by bisection."""

    def holds(rate: float) -> bool:
        outcome = Simulation(fleet, Load(**{**load.__dict__, "rate": rate * fleet.replicas})).run()
        return outcome.percentile(0.99) <= p99_ms

    low, high = 0.0, fleet.prefill_rate / load.prompt * 2
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


# --- tables ---------------------------------------------------------------------------------------

METHODS = {
    "std": {"rounds": 1, "whole": True},
    "rsd T = 2": {"rounds": 2, "whole": True},
    "rsd T = 3": {"rounds": 3, "whole": True},
    "rsd T = 4": {"rounds": 4, "whole": True},
    "ar": {"rounds": 19, "whole": False},
}


def table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "-|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def show_methods(options: argparse.Namespace, fleet: Fleet) -> None:
    print(f"### Rate of a replica at which p99 stays within {options.p99_ms:.0f} ms\n")
    rows = []
    for name, shape in METHODS.items():
        load = Load(rate=1, prompt=options.prompt, items=options.items, seconds=options.seconds, seed=options.seed, **shape)
        rate = capacity(Fleet(**{**fleet.__dict__, "replicas": 4}), load, options.p99_ms)
        alone = Simulation(Fleet(**{**fleet.__dict__, "replicas": 1}), Load(**{**load.__dict__, "rate": 0.2, "seconds": 100})).run()
        needed = f"{math.ceil(options.service / rate)}" if rate > 0 else "–"
        tokens = load.prompt + sum(load.tokens_of(n) for n in range(load.rounds))
        rows.append([name, str(load.rounds), str(tokens), f"{alone.percentile(0.5):.0f}", f"{rate:.1f}" if rate > 0 else "not reached", needed])
    table(["method", "round trips", "tokens", "alone, ms", "requests/s a replica", f"replicas for {options.service:,.0f}/s"], rows)


def show_growth(options: argparse.Namespace, fleet: Fleet) -> None:
    print("### One to many replicas, `rsd` T = 3, load of 75 % of what the tokens allow\n")
    rows = []
    for replicas in options.replicas:
        for affinity in (True, False):
            load = Load(rate=0, prompt=options.prompt, items=options.items, rounds=3, seconds=options.seconds, seed=options.seed)
            tokens = load.prompt + 2 * load.items
            load = Load(**{**load.__dict__, "rate": 0.75 * replicas * fleet.prefill_rate / tokens})
            result = Simulation(Fleet(**{**fleet.__dict__, "replicas": replicas, "affinity": affinity}), load).run()
            rows.append([
                str(replicas), "yes" if affinity else "no", f"{load.rate:.0f}", f"{result.percentile(0.5):.0f}", f"{result.percentile(0.99):.0f}",
                f"{result.tokens / max(result.n_done, 1):.0f}", f"{100 * result.busy:.0f} %", str(result.backlog),
            ])  # fmt: skip
    table(["replicas", "affinity", "requests/s", "p50 ms", "p99 ms", "tokens a request", "busy", "unfinished at the end"], rows)


def show_failures(options: argparse.Namespace, fleet: Fleet) -> None:
    print("### Replicas that die, `rsd` T = 3, 60 % load\n")
    rows = []
    for mtbf in (math.inf, 600.0, 120.0):
        for replicas in (4, 16):
            load = Load(rate=0, prompt=options.prompt, items=options.items, rounds=3, seconds=3 * options.seconds, seed=options.seed)
            tokens = load.prompt + 2 * load.items
            load = Load(**{**load.__dict__, "rate": 0.6 * replicas * fleet.prefill_rate / tokens})
            result = Simulation(Fleet(**{**fleet.__dict__, "replicas": replicas, "mtbf_s": mtbf, "repair_s": 20}), load).run()
            rows.append([
                str(replicas), "never" if math.isinf(mtbf) else f"{mtbf:.0f} s", str(result.n_arrived), str(result.n_arrived - result.n_done),
                str(result.n_moved), f"{result.percentile(0.5):.0f}", f"{result.percentile(0.99):.0f}",
            ])  # fmt: skip
    table(["replicas", "a replica dies every", "requests", "lost", "moved", "p50 ms", "p99 ms"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prefill-rate", type=float, default=Fleet.prefill_rate, help="tokens a second of a replica")
    parser.add_argument("--pass-ms", type=float, default=Fleet.pass_ms, help="of a pass beside its tokens")
    parser.add_argument("--pass-tokens", type=int, default=Fleet.pass_tokens)
    parser.add_argument("--cache-tokens", type=int, default=Fleet.cache_tokens)
    parser.add_argument("--round-trip-ms", type=float, default=Fleet.round_trip_ms)
    parser.add_argument("--prompt", type=int, default=Load.prompt, help="tokens of a request's prompt")
    parser.add_argument("--items", type=int, default=Load.items)
    parser.add_argument("--p99-ms", type=float, default=500)
    parser.add_argument("--service", type=float, default=10_000, help="requests a second")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--seconds", type=float, default=20, help="of arrivals")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fleet = Fleet(
        prefill_rate=options.prefill_rate, pass_ms=options.pass_ms, pass_tokens=options.pass_tokens,
        cache_tokens=options.cache_tokens, round_trip_ms=options.round_trip_ms,
    )  # fmt: skip
    print(f"seed {options.seed}\n")
    show_methods(options, fleet)
    show_growth(options, fleet)
    show_failures(options, fleet)


if __name__ == "__main__":
    main()
