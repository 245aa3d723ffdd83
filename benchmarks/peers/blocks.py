"""Section `blocks`: prompts in blocks beside one sequence, windows, embeddings and generated lists."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import block_tables
from block_tables import COLD, FIRST, GENERATED, HALF_WARM, KEPT, MINILM, SEQUENCE, SEQUENCE_AR, WARM, WARM_AR, WINDOWS
from contenders import OF_A_REQUEST, Answer, Contender, close, in_turn, prompts
from lists import Request, merged, of_tokens, primers, read, shuffled
from report import page

if TYPE_CHECKING:
    from peers import Comparison

# Share of a request's candidates that the contender has had before, in other lists and for other queries.
SEEN = {HALF_WARM: 0.5, WARM: 1.0, WARM_AR: 1.0, KEPT: 1.0}
SPARE = 8  # requests after the measured ones: queries of primers, texts to join
WARM_UP = 20  # candidates of the list that contenders without memory begin with
SEQUENCE_TOKENS = 12_288  # of a prompt in one sequence; beyond it takes minutes
WINDOW_TOKENS = 12_500  # of the list that windows go through, every text twice
SHORT = "msmarco-dl-bm25-test"
LONG = "msmarco-dl-bm25-k100-test"
LONG_COUNT = 100  # candidates of a request there


@dataclass(frozen=True)
class Case:
    """`tokens` of each candidate's text, None as it is; `only` these contenders, empty all that the sizes allow."""

    name: str
    file: str
    count: int
    requests: int
    tokens: int | None = None
    only: tuple[str, ...] = ()

    def contenders(self, lists: bool) -> list[str]:
        size = self.tokens or 15
        names = [COLD, HALF_WARM, WARM, WARM_AR, MINILM, KEPT]
        if self.count > 20 and self.count * size <= WINDOW_TOKENS:
            names.insert(0, WINDOWS)
        if self.count <= 20:
            names.insert(0, SEQUENCE_AR)
            names += [FIRST, GENERATED] if lists else []
        if self.count * (size + 4) + 200 <= SEQUENCE_TOKENS:
            names.insert(0, SEQUENCE)
        return [name for name in names if not self.only or name in self.only]


def passages(count: int, tokens: int, requests: int, *only: str) -> Case:
    return Case(f"passages-{count}x{tokens}", SHORT if count <= 20 else LONG, count, requests, tokens, only)


QUICK = [
    passages(20, 100, 8),
    Case("games", "games-test", 20, 8),
    Case("films", "ml1m-test", 20, 8, None, (SEQUENCE, WARM, KEPT)),
    passages(20, 76, 6, SEQUENCE, WARM),  # one sequence of 1,600 tokens
    passages(100, 100, 2, SEQUENCE, WINDOWS, COLD, WARM, WARM_AR),
    passages(400, 100, 1, COLD),
]
FULL = [
    Case("quora", "quora-test", 20, 20),
    Case("games", "games-test", 20, 20),
    Case("films", "ml1m-test", 20, 20),
    passages(20, 76, 20, SEQUENCE, WARM),
    *(passages(20, tokens, 20) for tokens in (10, 30, 100, 200)),
    *(passages(100, tokens, requests) for tokens, requests in ((10, 5), (30, 5), (100, 5), (200, 3))),
    *(passages(400, tokens, requests) for tokens, requests in ((10, 2), (30, 2), (100, 2), (200, 1))),
]


class Blocks:
    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.options = comparison.options

    def cases(self) -> list[Case]:
        cases = QUICK if self.options.quick else FULL
        wanted = self.options.blocks_cases
        unknown = set(wanted or ()) - {case.name for case in cases}
        if unknown:
            raise SystemExit(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(case.name for case in cases)}")
        return [case for case in cases if not wanted or case.name in wanted]

    def section(self) -> tuple[list[page.Table | page.Plot], dict[str, Any]]:
        results: dict[str, block_tables.Result] = {}
        for case in self.cases():
            try:
                results[case.name] = self.measure(case)
            except RuntimeError as failure:  # the other cases are worth their time
                print(f"{case.name} is left out: {failure}", file=sys.stderr)
            partial = {name: result.plain() for name, result in results.items()}
            page.replace(self.options.out / "blocks.json", json.dumps(partial, indent=1) + "\n")
        parts = block_tables.parts(results, self.options.blocks_token_bytes, block_tables.copying_bytes_per_ms())
        return parts, {name: result.plain() for name, result in results.items()}

    def measure(self, case: Case) -> block_tables.Result:
        """In processes of their own, so that their peak memory is this case's."""
        number = max(1, round(case.requests * self.options.blocks_scale))
        requests, others = self.lists(case, number)
        contenders: list[Contender] = []
        try:
            for name in case.contenders(self.options.lists):
                contenders.append(self.contender(name))
            print(f"{case.name}: {', '.join(c.name for c in contenders)}", file=sys.stderr)
            measured = self.ranked(contenders, requests, others)
            peaks = {c.name: c.peak_mib() for c in contenders}
        finally:
            close(contenders)
        return block_tables.Result(case.count, case.tokens, self.tokens_of(requests), measured, peaks)

    def ranked(self, contenders: list[Contender], requests: list[Request], others: list[Request]) -> list[dict[str, Any]]:
        """As in_turn, with the rankings of the shuffled requests under `again`."""
        for contender in contenders:
            for primer in self.primers_of(contender, requests, others):
                contender.rank(primer)
        measured = in_turn(contenders, requests)
        for m in measured:
            check_whole(m["answers"])
            again = shuffled(m["request"])
            m["again"] = {c.name: c.rank(again).ranking for c in contenders if c.name in (SEQUENCE_AR, WARM_AR)}
        return measured

    def lists(self, case: Case, number: int) -> tuple[list[Request], list[Request]]:
        """The requests to measure, and others of the same file and sizes."""
        each = max(1, case.count // LONG_COUNT)
        rows = read(self.options.data / f"{case.file}.jsonl", number * each + SPARE)
        used = rows[: number * each]
        requests = [merged(used[n : n + each], case.count) for n in range(0, len(used), each)]
        others = rows[len(used) :]
        if not others or any(len(r["candidates"]) < case.count for r in requests):
            raise SystemExit(f"{case.file}.jsonl has too few requests or candidates for {number} lists of {case.count}")
        if case.tokens:
            texts = [c["text"] for r in others for c in r["candidates"]]
            requests = of_tokens(requests, case.tokens, texts, self.count_tokens)
            others = of_tokens(others, case.tokens, texts, self.count_tokens)
        if self.options.lists and case.count <= 20:
            rendered = prompts(self.options.rsd, self.comparison.ours, requests)
            requests = [{**request, "prompt": prompt} for request, prompt in zip(requests, rendered, strict=True)]
        return requests, others

    def primers_of(self, contender: Contender, requests: list[Request], others: list[Request]) -> list[Request]:
        if contender.name in SEEN:
            return primers(requests, SEEN[contender.name], others)
        first = {**others[0], "candidates": others[0]["candidates"][:WARM_UP], "id": "warm-up"}
        if contender.name == FIRST:
            first["prompt"] = prompts(self.options.rsd, self.comparison.ours, [first])[0]
        return [first]

    def contender(self, name: str) -> Contender:
        rsd = ("--decoder", "rsd", "--budget", "2")
        ar = ("--decoder", "ar")
        sequence = ("--ctx-size", str(SEQUENCE_TOKENS))
        windows = ("--window", "20", "--stride", "10", "--window-method", "sliding")
        blocks = {"model": self.options.blocks_model}
        warm = {**blocks, "cache_mib": self.options.blocks_cache_ram}
        make = self.comparison
        return {
            SEQUENCE: lambda: make.rsd(name, *rsd, *sequence),
            SEQUENCE_AR: lambda: make.rsd(name, *ar, *sequence),
            WINDOWS: lambda: make.rsd(name, *rsd, *windows),
            COLD: lambda: make.rsd(name, *rsd, **blocks),
            HALF_WARM: lambda: make.rsd(name, *rsd, **warm),
            WARM: lambda: make.rsd(name, *rsd, **warm),
            WARM_AR: lambda: make.rsd(name, *ar, **warm),
            MINILM: lambda: make.peer(name, "embeddings"),
            KEPT: lambda: make.peer(name, "kept-embeddings"),
            FIRST: lambda: make.peer(name, "first-token", context=8192),
            GENERATED: lambda: make.peer(name, "generation", context=8192),
        }[name]()

    def count_tokens(self, requests: list[Request]) -> list[list[int]]:
        """Of each candidate's block, the dash before its text included."""
        lines = "".join(json.dumps({key: r[key] for key in OF_A_REQUEST if key in r}) + "\n" for r in requests)
        command = [str(self.options.rsd), "prompt", "render", "--requests", "-", *self.comparison.ours_with(self.options.blocks_model)]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        return [block_sizes(json.loads(line), r) for line, r in zip(done.stdout.splitlines(), requests, strict=True)]

    def tokens_of(self, requests: list[Request]) -> list[int]:
        return [size for sizes in self.count_tokens(requests) for size in sizes]


def block_sizes(rendered: dict[str, Any], request: Request) -> list[int]:
    """In the request's order."""
    if "blocks" not in rendered:
        raise SystemExit("the model of --blocks-model is not tuned for prompts in blocks: its prompts are one sequence")
    sizes = {b["candidate"]: b["tokens"] for b in rendered["blocks"] if b["kind"] == "candidate"}
    return [sizes[c["id"]] for c in request["candidates"]]


def check_whole(answers: dict[str, Answer]) -> None:
    """What should be one prompt has not silently become windows."""
    for name, answer in answers.items():
        if (answer.windows > 0) != (name == WINDOWS):
            raise RuntimeError(f"{name} ranked in {answer.windows} windows")
