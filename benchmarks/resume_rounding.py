#!/usr/bin/env python3
"""Do interrupted and resumed runs of `rsd rank` give other rankings, and why?

    benchmarks/resume_rounding.py build/release/rsd --requests FILE... [--model GGUF] [--limit N]

Ranks the requests unbroken and resumed in the middle, one at a time and four at a time, with the
cache of prompts and without, and compares the rankings and the logits of each two runs. Since
--trace can't be resumed, the logits of a resumed run are those of a run of the requests that were
missing, and one real --resume is held to it by its rankings. Logits are compared where both runs
asked the LLM for the same thing: the rows of a round whose proposal, and those of all rounds before
it, are the same. A request whose rankings differ first differs

  - at a place: the same proposal was verified, and the LLM's choice there is another. `gap` is by
    how much each run prefers its own item to the other's, in logits, the larger of the two;
  - or in a proposal: the same places are known, and the policy orders the rest otherwise, by logits
    that differ.

If no two logits of the same thing differ by more than rounding does, the runs differ by rounding. That
nothing of a request gets into another one's logits is shown by neighbours of the same lengths: with
`std`, of which every pass has the same requests, every second request gets its candidates in reverse,
and the logits of the others must stay the same, bit by bit. Exit code 1 where --check says what holds
and it doesn't.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

# Setting: options. The first one's unbroken run is what users call a run.
SETTINGS = {
    "--parallel 4": ["--parallel", "4"],
    "--parallel 1": ["--parallel", "1"],
    "--parallel 1 --cache-ram 0": ["--parallel", "1", "--cache-ram", "0"],
}
NEIGHBOURS = "`--parallel 4 --decoder std`: other neighbours of the same lengths"


@dataclasses.dataclass
class Difference:
    """Of one request in two runs."""

    logit: float  # the largest of two logits of the same thing
    differs: bool = False  # the rankings do
    gap: float | None = None  # None: the policy's order was the first to differ


def largest(rows, others):
    return max((abs(a - b) for row, other in zip(rows, others) for a, b in zip(row, other)),
               default=0.0)


def difference(one, other):
    """Of two traces of a request."""
    found = Difference(0.0, one["ranking"] != other["ranking"])
    for a, b in zip(one["rounds"], other["rounds"]):
        if a["proposal"] != b["proposal"]:
            break
        found.logit = max(found.logit, largest(a["logits"], b["logits"]))
        if a["known"] == b["known"]:
            continue
        place = next(i for i, pair in enumerate(zip(a["known"] + [None], b["known"] + [None]))
                     if pair[0] != pair[1])
        if place < min(len(a["known"]), len(b["known"])):
            mine, theirs = a["known"][place], b["known"][place]
            found.gap = max(a["logits"][place][mine] - a["logits"][place][theirs],
                            b["logits"][place][theirs] - b["logits"][place][mine])
        break
    return found


class Runs:
    def __init__(self, options, lines, folder):
        self.options = options
        self.lines = lines
        self.folder = pathlib.Path(folder)
        self.requests = self.folder / "requests.jsonl"
        self.requests.write_text("".join(lines))

    def rank(self, requests, output, *more):
        command = [self.options.rsd, "rank", "--requests", requests, "--threads",
                   self.options.threads, "--output", output, *more]
        if self.options.model:
            command += ["--model", self.options.model]
        subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL)

    def traced(self, options, lines, name):
        """The traces of what was ranked, by id."""
        requests = self.folder / "some.jsonl"
        requests.write_text("".join(lines))
        trace = self.folder / f"{name}.trace"
        self.rank(requests, self.folder / name, *options, "--trace", trace)
        traces = trace.read_text().splitlines()[1:]
        return {one["id"]: one for one in map(json.loads, traces)}

    def tokens(self, name):
        """That went through the LLM, by request."""
        answers = map(json.loads, (self.folder / name).read_text().splitlines())
        return {answer["id"]: answer["tokens_encoded"] for answer in answers}

    def with_other_neighbours(self):
        """Traces of every second request beside others, and beside those in another order, as far as
        that leaves them as long as they were."""
        options = [*SETTINGS["--parallel 4"], "--decoder", "std"]
        base = self.traced(options, self.lines, "base")
        changed = [line if i % 2 == 0 else with_candidates_reversed(line)
                   for i, line in enumerate(self.lines)]
        while True:
            other = self.traced(options, changed, "other")
            before, after = self.tokens("base"), self.tokens("other")
            if before == after:
                break
            changed = [line if before[id_of(line)] == after[id_of(line)] else old
                       for line, old in zip(changed, self.lines)]
        kept = [id_of(line) for line, old in zip(changed, self.lines) if line == old]
        return [{name: traces[name] for name in kept} for traces in (base, other)]

    def unbroken(self, setting, name):
        return self.traced(SETTINGS[setting], self.lines, name)

    def resumed(self, setting, after):
        """The same from a run that was interrupted after `after` answers."""
        return self.traced(SETTINGS[setting], self.lines[after:], "resumed")

    def really_resumed(self, setting, name, after):
        """The rankings of --resume, by id, as item indices."""
        for ending, n_lines in (("", after), (".conditions", after + 1)):
            lines = (self.folder / f"{name}{ending}").read_text().splitlines(keepends=True)
            (self.folder / f"real{ending}").write_text("".join(lines[:n_lines]))
        self.rank(self.requests, self.folder / "real", *SETTINGS[setting], "--resume")
        answers = map(json.loads, (self.folder / "real").read_text().splitlines()[after:])
        places = {request["id"]: {str(one["id"]): i for i, one in enumerate(request["candidates"])}
                  for request in map(json.loads, self.lines)}
        return {answer["id"]: [places[answer["id"]][one] for one in answer["ranking"]]
                for answer in answers}


def id_of(line):
    return json.loads(line)["id"]


def with_candidates_reversed(line):
    request = json.loads(line)
    return json.dumps({**request, "candidates": request["candidates"][::-1]}) + "\n"


def compared(one, other):
    common = sorted(one.keys() & other.keys())
    return [difference(one[name], other[name]) for name in common]


def row(title, found):
    differing = [one for one in found if one.differs]
    gaps = [one.gap for one in differing if one.gap is not None]
    by_policy = sum(one.gap is None for one in differing)
    gap = f"{max(gaps):.4f}" if gaps else "–"
    return (f"| {title} | {len(found)} | {len(differing)} | {len(gaps)} | {by_policy} | {gap} | "
            f"{max(one.logit for one in found):.4f} | "
            f"{statistics.median(one.logit for one in found):.4f} |")


def measured(options, lines):
    """Comparison: differences of requests."""
    table = {}
    after = len(lines) // 2 + 1
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(options, lines, folder)
        unbroken = {}
        for number, setting in enumerate(SETTINGS):
            name = f"run{number}"
            unbroken[setting] = runs.unbroken(setting, name)
            resumed = runs.resumed(setting, after)
            if number == 0:
                real = runs.really_resumed(setting, name, after)
                same = sum(real[name] == one["ranking"] for name, one in resumed.items())
                print(f"{same} of {len(real)} rankings of a real --resume are those of a run of the "
                      "requests that were missing\n")
            table[f"`{setting}`: unbroken, resumed"] = compared(unbroken[setting], resumed)
        first, *_, last = SETTINGS
        table[f"`{first}` twice, unbroken"] = compared(unbroken[first],
                                                       runs.unbroken(first, "again"))
        table[f"`{first}`, `{last}`: unbroken"] = compared(unbroken[first], unbroken[last])
        table[NEIGHBOURS] = compared(*runs.with_other_neighbours())
    return table


def check(table, bound):
    alone = table["`--parallel 1 --cache-ram 0`: unbroken, resumed"]
    faults = []
    if any(one.logit > 0 for one in table[NEIGHBOURS]):
        faults.append("what a request's neighbours say changes its logits")
    if any(one.differs or one.logit > 0 for one in alone):
        faults.append("one at a time, without a cache, a resumed run differs")
    for title, found in table.items():
        if (worst := max(one.logit for one in found)) > bound:
            faults.append(f"{title}: two logits of the same thing differ by {worst}")
    return faults


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rsd", type=pathlib.Path)
    parser.add_argument("--requests", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--limit", type=int, help="requests of each file")
    parser.add_argument("--candidates", type=int, help="of each request, its first ones")
    parser.add_argument("--model")
    parser.add_argument("--threads", default="0")
    parser.add_argument("--check", type=float, metavar="LOGITS",
                        help="fail where two logits of the same thing differ by more, or where a run "
                             "of one request at a time without a cache depends on where it began")
    options = parser.parse_args(arguments)
    lines = []
    for path in options.requests:
        for line in path.read_text().splitlines()[:options.limit]:
            request = json.loads(line)
            request.pop("relevance", None)
            request["candidates"] = request["candidates"][:options.candidates]
            lines.append(json.dumps(request) + "\n")
    table = measured(options, lines)
    print("| runs | requests | rankings differ | first at a place | first in a proposal | "
          "largest gap there | largest difference of a logit, all requests | median |\n"
          "|-|-|-|-|-|-|-|-|")
    for title, found in table.items():
        print(row(title, found))
    faults = check(table, options.check) if options.check is not None else []
    for fault in faults:
        print(f"resume_rounding: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
