#!/usr/bin/env python3
"""Breaks single lines of modules and reports which faults no unit test of the module notices.

usage: mutants.py [MODULE...] [--sample N] [--seed S] [--lines FILE:LINE[-LINE]...] [--named [NAME...]]
                  [--survivors] [--list] [--jobs N] [--results FILE] [--root DIR]

By default it takes all mutants of decode, window, agent, train, rank, remote, data and server that
tools/mutations.py finds; --named takes the faults written out in tools/mutants/named.json. Each is
compiled with its module's unit tests, and these are run: killed, timed out, survived, did not compile,
or explained (tools/mutants/explained.json says why no test can notice it).

The user's sources are only read. The work is done in build/mutants: a copy of the tree, a build of it,
and for each mutant a file of its own, an object and a test program. So an interruption leaves nothing
half mutated. Results are written after each mutant; a run that is given again takes those that the same
test program gave (its checksum), and --survivors takes the mutants that survived the last run.

Exit: 0 no mutant survived, 1 some did, 2 usage, 3 the unmutated module doesn't build or pass.
"""

import argparse
import collections
import concurrent.futures
import fcntl
import hashlib
import json
import os
import pathlib
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

import mutations

DEFAULT_MODULES = ["decode", "window", "agent", "train", "rank", "remote", "data", "server"]
OUTCOMES = ["killed", "timed out", "survived", "explained", "did not compile"]
# -O1: a mutant takes as long to compile as its tests take to run.
CONFIGURATION = ["-DCMAKE_BUILD_TYPE=Release", "-DRSD_UNITY_BUILD=OFF", "-DRSD_BUILD_BENCHMARKS=OFF",
                 "-DRSD_COMPILE_OPTIONS=-O1;-w", "-DCMAKE_GTEST_DISCOVER_TESTS_DISCOVERY_MODE=PRE_TEST"]
COMPILE_SECONDS = 600
MEMORY_BYTES = 8 << 30  # a mutant that fills the memory must not take the machine with it
FAILED = re.compile(r"^\[  FAILED  \] ([\w/]+\.[\w/]+)", re.MULTILINE)
PASSED = re.compile(r"^\[       OK \] (\S+) \((\d+) ms\)", re.MULTILINE)
STARTED = re.compile(r"^\[ RUN      \] (\S+)", re.MULTILINE)


class Failure(Exception):
    """Ends the program with a message and exit code 3."""


class Children:
    """The programs that run now; all of them end when this one is interrupted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: set[subprocess.Popen[str]] = set()
        self.stopped = False

    def run(self, command: list[str], seconds: float, folder: pathlib.Path,
            environment: dict[str, str] | None = None) -> tuple[int | None, str]:
        """Exit code, None after a timeout, and what the program wrote."""
        with self.lock:
            if self.stopped:
                raise KeyboardInterrupt
            child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True, errors="replace",
                                     start_new_session=True, env=environment)
            self.running.add(child)
        try:
            return self._output(child, seconds)
        finally:
            with self.lock:
                self.running.discard(child)

    def _output(self, child: "subprocess.Popen[str]", seconds: float) -> tuple[int | None, str]:
        try:
            output, _ = child.communicate(timeout=seconds)
            return child.returncode, output
        except subprocess.TimeoutExpired:
            self._kill(child)
            output, _ = child.communicate()
            return None, output

    @staticmethod
    def _kill(child: "subprocess.Popen[str]") -> None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for child in self.running:
                self._kill(child)


class Scratch:
    """The copy of the tree with its build, below build/mutants of the root."""

    def __init__(self, root: pathlib.Path, children: Children) -> None:
        self.root, self.children = root, children
        self.folder = root / "build" / "mutants"
        self.tree, self.build = self.folder / "tree", self.folder / "build"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.folder / "lock", "w", encoding="utf-8")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another run works in {self.folder}") from None

    def copy(self) -> None:
        """Brings the copy to the state of the root; what is equal keeps its time, so ninja rests."""
        listed = subprocess.run(
            ["git", "-c", f"safe.directory={self.root}", "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], cwd=self.root, capture_output=True, text=True, check=True).stdout
        wanted = {name for name in listed.split("\0") if name and (self.root / name).is_file()}
        for path in [*self.tree.rglob("*")]:
            if path.is_file() and str(path.relative_to(self.tree)) not in wanted:
                path.unlink()
        for name in sorted(wanted):
            source, target = self.root / name, self.tree / name
            content = source.read_bytes()
            if not target.is_file() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                target.chmod(source.stat().st_mode)

    def must(self, command: list[str]) -> str:
        code, output = self.children.run(command, 3600, self.folder)
        if code != 0:
            raise Failure(f"{shlex.join(command)} failed:\n{output[-4000:]}")
        return output

    def configure(self) -> None:
        linker = [f"-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld={name}" for name in ("gold", "lld")
                  if os.access(f"/usr/bin/ld.{name}", os.X_OK)][:1]
        self.must(["cmake", "-S", str(self.tree), "-B", str(self.build), "-G", "Ninja", *CONFIGURATION,
                   *linker])

    def commands(self) -> dict[str, list[str]]:
        """{source, relative to the root: the command that compiles it}, without a compiler cache."""
        found = {}
        for entry in json.loads((self.build / "compile_commands.json").read_text(encoding="utf-8")):
            path = pathlib.Path(entry["file"])
            if path.is_relative_to(self.tree):
                words = shlex.split(entry["command"])
                if pathlib.Path(words[0]).name == "ccache":
                    words = words[1:]
                found[str(path.relative_to(self.tree))] = words
        return found


class Headers:
    """The headers of a source, compiled once for all its mutants: they take most of the time."""

    FEWEST = 3  # mutants that are worth it

    def __init__(self, scratch: Scratch, command: list[str], file: str, n_mutants: int) -> None:
        self.scratch, self.command, self.file = scratch, command, file
        self.lock, self.n_left = threading.Lock(), n_mutants
        self.options: list[str] | None = None if n_mutants >= self.FEWEST else []
        self.folder = scratch.folder / "headers"
        self.header = self.folder / (file.replace("/", "-") + ".h")
        self.compiled = self.header.with_name(self.header.name + ".gch")

    def compile_options(self) -> list[str]:
        """What the command of a mutant needs to use them; nothing where they don't compile alone."""
        with self.lock:
            if self.options is None:
                self.options = ["-include", str(self.header)] if self._compile() else []
            return self.options

    def _compile(self) -> bool:
        original = self.scratch.tree / self.file
        includes = [line for line in original.read_text(encoding="utf-8").splitlines()
                    if re.match(r"\s*#\s*include\b", line)]
        self.folder.mkdir(exist_ok=True)
        self.header.write_text("\n".join(includes) + "\n", encoding="utf-8")
        words = output_option([str(self.header) if word == str(original) else word for word in self.command],
                              self.compiled)
        at = words.index(str(self.header))
        code, _ = self.scratch.children.run(
            [*words[:at], "-iquote", str(original.parent), "-x", "c++-header", *words[at:]],
            COMPILE_SECONDS, self.scratch.build)
        return code == 0

    def done(self) -> None:
        """One mutant is judged; after the last, the compiled headers, some 100 MB, go."""
        with self.lock:
            self.n_left -= 1
            if self.n_left == 0:
                self.compiled.unlink(missing_ok=True)


def output_option(words: list[str], output: pathlib.Path) -> list[str]:
    at = words.index("-o")
    return [*words[:at + 1], str(output), *words[at + 2:]]


class Module:
    """A module's test program, and how to make it with one object exchanged."""

    def __init__(self, scratch: Scratch, name: str, jobs: int) -> None:
        self.scratch, self.name = scratch, name
        self.target = f"rsd_{name}_test"
        say(f"building {self.target} without a mutant")
        scratch.must(["cmake", "--build", str(scratch.build), "-j", str(jobs), "--target", self.target])
        self.link = self._link()
        self.program = scratch.build / self.link[self.link.index("-o") + 1]
        self.checksum = hashlib.sha256(self.program.read_bytes()).hexdigest()
        started = time.monotonic()
        code, output = self.run(self.program, 3600)
        self.seconds = time.monotonic() - started
        if code != 0:
            raise Failure(f"{self.target} fails without a mutant:\n{output[-4000:]}")
        slow = ":".join(slow_tests(output))
        # Most mutants die in the quick tests, which take little of the time.
        self.filters = [f"--gtest_filter=-{slow}", f"--gtest_filter={slow}"] if slow else [""]

    def _link(self) -> list[str]:
        output = self.scratch.must(["ninja", "-C", str(self.scratch.build), "-t", "commands", self.target])
        for line in reversed(output.splitlines()):
            for command in line.split("&&"):
                words = shlex.split(command)
                if "-o" in words and words[words.index("-o") + 1].endswith(self.target):
                    return words
        raise Failure(f"ninja has no command that links {self.target}")

    def run(self, program: pathlib.Path, seconds: float, which: str = "") -> tuple[int | None, str]:
        """Runs the tests in the copy of the tree. The limits hold even when this program is killed."""
        work = self.scratch.folder / "tmp"
        work.mkdir(exist_ok=True)
        limits = ["prlimit", f"--cpu={int(4 * seconds) + 1}", f"--as={MEMORY_BYTES}", "--core=0"]
        return self.scratch.children.run(
            [*limits, str(program), "--gtest_fail_fast", "--gtest_color=no", *filter(None, [which])], seconds,
            self.scratch.tree, {**os.environ, "TMPDIR": str(work)})

    def make(self, mutant: mutations.Mutant, text: str, headers: Headers,
             work: pathlib.Path) -> pathlib.Path | None:
        """The test program with the mutant; None when it does not compile."""
        source, made, program = work / "mutant.cpp", work / "mutant.o", work / self.target
        source.write_text(mutant.applied_to(text), encoding="utf-8")
        original = self.scratch.tree / mutant.file
        words = [str(source) if word == str(original) else word for word in headers.command]
        code, _ = self.scratch.children.run(
            [*output_option(words, made), *headers.compile_options(), "-iquote", str(original.parent)],
            COMPILE_SECONDS, self.scratch.build)
        if code != 0:
            return None
        # Before the archives, so the linker leaves their member with the same symbols alone.
        link = output_option(self.link, program)
        code, output = self.scratch.children.run([link[0], str(made), *link[1:]], COMPILE_SECONDS,
                                                 self.scratch.build)
        if code != 0 and "multiple definition" in output:
            raise Failure(f"the mutant of {mutant.file} can't take the place of its object:\n{output[-2000:]}")
        return program if code == 0 else None

    def judge(self, mutant: mutations.Mutant, text: str, headers: Headers,
              work: pathlib.Path) -> tuple[str, str]:
        """The outcome, and the test that noticed."""
        work.mkdir(parents=True, exist_ok=True)
        program = self.make(mutant, text, headers, work)
        if program is None:
            return "did not compile", ""
        for which in self.filters:
            code, output = self.run(program, 5 + 10 * self.seconds, which)
            if code is None:
                return "timed out", last(STARTED, output)
            if code != 0:
                failed = FAILED.search(output)
                return "killed", failed[1] if failed else last(STARTED, output)
        return "survived", ""


def slow_tests(output: str) -> list[str]:
    """The tests that take the most time, so many that a tenth of all the time is left to the others."""
    times = {name: int(ms) for name, ms in PASSED.findall(output)}
    left, slow = sum(times.values()), []
    most = max(left / 10, 500)
    for name in sorted(times, key=lambda one: -times[one]):
        if left <= most:
            break
        slow.append(name)
        left -= times[name]
    return slow


def last(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.findall(text)
    return found[-1] if found else ""


def say(text: str) -> None:
    print(f"mutants: {text}", file=sys.stderr, flush=True)


def module_of(file: str) -> str:
    parts = pathlib.PurePosixPath(file).parts
    return parts[1] if parts[0] == "src" else parts[0]


def sources_of(root: pathlib.Path, module: str) -> list[str]:
    """The module's sources without its tests, relative to the root."""
    folder = root / "src" / module if (root / "src" / module).is_dir() else root / module
    return sorted(str(path.relative_to(root)) for path in folder.rglob("*.cpp")
                  if not path.stem.endswith("_test"))


def read(root: pathlib.Path, file: str) -> str:
    return (root / file).read_text(encoding="utf-8")


def data(root: pathlib.Path, name: str) -> list[dict[str, str]]:
    path = root / "tools" / "mutants" / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def named_mutants(root: pathlib.Path, names: list[str]) -> list[mutations.Mutant]:
    """The mutants of named.json, all or some."""
    entries = [entry for entry in data(root, "named.json") if not names or entry["name"] in names]
    if unknown := set(names) - {entry["name"] for entry in entries}:
        raise Failure(f"tools/mutants/named.json has no {', '.join(sorted(unknown))}")
    found = []
    for entry in entries:
        text = read(root, entry["file"])
        if text.count(entry["old"]) != 1:
            raise Failure(f"{entry['name']}: its old text must occur once in {entry['file']}")
        start = text.index(entry["old"])
        edit = start, start + len(entry["old"]), entry["new"]
        found.append(mutations.mutant(entry["file"], text, entry["name"], edit))
    return found


def mutants_on(root: pathlib.Path, places: list[str]) -> list[mutations.Mutant]:
    """The mutants that touch FILE:LINE or FILE:LINE-LINE."""
    found = []
    for place in places:
        match = re.fullmatch(r"(.+):(\d+)(?:-(\d+))?", place)
        if not match or not (root / match[1]).is_file():
            raise Failure(f"--lines takes FILE:LINE or FILE:LINE-LINE, not {place}")
        first, end = int(match[2]), int(match[3] or match[2])
        found += [one for one in mutations.mutants_of(match[1], read(root, match[1]))
                  if one.line <= end and one.last_line >= first]
    return list(dict.fromkeys(found))


def chosen_mutants(options: argparse.Namespace, results: dict[str, dict]) -> list[mutations.Mutant]:
    root = options.root
    if options.named is not None:
        found = [one for one in named_mutants(root, options.named)
                 if not options.modules or module_of(one.file) in options.modules]
    elif options.lines:
        found = mutants_on(root, options.lines)
    else:
        modules = options.modules or [name for name in DEFAULT_MODULES if sources_of(root, name)]
        if missing := [name for name in modules if not sources_of(root, name)]:
            raise Failure(f"there is no module {', '.join(missing)}")
        found = [one for module in modules for file in sources_of(root, module)
                 for one in mutations.mutants_of(file, read(root, file))]
    if options.survivors:
        found = [one for one in found if results.get(key_of(one), {}).get("outcome") == "survived"]
    if options.sample is not None and options.sample < len(found):
        places = sorted(random.Random(options.seed).sample(range(len(found)), options.sample))
        found = [found[place] for place in places]
    return found


def key_of(mutant: mutations.Mutant) -> str:
    """Names a mutant as long as its line stays what and where it is."""
    return f"{mutant.file}:{mutant.line}:{mutant.operator}: {mutant.before} -> {mutant.after}"


def shown(mutant: mutations.Mutant) -> str:
    return f"{mutant.file}:{mutant.line} {mutant.operator}: {mutant.before}\n{'':>17}-> {mutant.after}"


class Results:
    """The file with what is known about each mutant, complete at any time."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path, self.lock = path, threading.Lock()
        self.of: dict[str, dict] = {}
        if path.is_file():
            self.of = json.loads(path.read_text(encoding="utf-8"))["mutants"]

    def add(self, key: str, result: dict) -> None:
        with self.lock:
            self.of[key] = result
            partial = self.path.with_name(self.path.name + ".partial")
            partial.write_text(json.dumps({"mutants": self.of}, indent=1) + "\n", encoding="utf-8")
            partial.replace(self.path)


class Run:
    """Judges mutants and counts the outcomes."""

    def __init__(self, options: argparse.Namespace, scratch: Scratch, results: Results) -> None:
        self.options, self.scratch, self.results = options, scratch, results
        self.explained = {(one["file"], one["before"], one["after"]): one["why"]
                          for one in data(options.root, "explained.json")}
        self.modules: dict[str, Module] = {}
        self.folders = [scratch.folder / "work" / str(number) for number in range(options.jobs)]
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.lock = threading.Lock()

    def judge_all(self, chosen: list[mutations.Mutant]) -> None:
        self.scratch.copy()
        self.scratch.configure()
        commands = self.scratch.commands()
        chosen = [one for one in chosen if one.file in commands]
        for name in dict.fromkeys(module_of(one.file) for one in chosen):
            self.modules[name] = Module(self.scratch, name, self.options.jobs)
        of_file = collections.Counter(one.file for one in chosen if self.known(one) is None)
        headers = {file: Headers(self.scratch, commands[file], file, of_file[file])
                   for file in {one.file for one in chosen}}
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            jobs = [pool.submit(self.judge, one, headers[one.file]) for one in chosen]
            try:
                for job in concurrent.futures.as_completed(jobs):
                    job.result()
            except BaseException:
                for job in jobs:
                    job.cancel()
                self.scratch.children.stop()
                raise

    def known(self, mutant: mutations.Mutant) -> dict | None:
        """The result of an earlier run with the same test program."""
        result = self.results.of.get(key_of(mutant))
        return result if result and result["program"] == self.modules[module_of(mutant.file)].checksum else None

    def judge(self, mutant: mutations.Mutant, headers: Headers) -> None:
        result = self.known(mutant)
        if result is None:
            module, started = self.modules[module_of(mutant.file)], time.monotonic()
            with self.lock:
                folder = self.folders.pop()
            try:
                outcome, test = module.judge(mutant, read(self.scratch.tree, mutant.file), headers, folder)
            finally:
                with self.lock:
                    self.folders.append(folder)
            result = {"outcome": outcome, "test": test, "program": module.checksum,
                      "seconds": round(time.monotonic() - started, 1)}
            self.results.add(key_of(mutant), result)
            headers.done()
        self.report(mutant, result)

    def report(self, mutant: mutations.Mutant, result: dict) -> None:
        outcome = result["outcome"]
        why = self.explained.get((mutant.file, mutant.before, mutant.after))
        if outcome == "survived" and why:
            outcome = "explained"
        by = f"\n{'':>17}by {result['test']}" if result["test"] else ""
        because = f"\n{'':>17}{why}" if outcome == "explained" else ""
        with self.lock:
            self.counts[outcome] += 1
            print(f"{outcome:16} {shown(mutant)}{by}{because}", flush=True)

    def summary(self) -> str:
        killed = self.counts["killed"] + self.counts["timed out"]
        judged = killed + self.counts["survived"]
        rate = f", {100 * killed / judged:.1f} % of those that could be killed were" if judged else ""
        return ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items()) + rate


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE")
    parser.add_argument("--sample", type=int, metavar="N", help="take N of them at random")
    parser.add_argument("--seed", type=int, default=None, metavar="S", help="of the sample; printed")
    parser.add_argument("--lines", nargs="+", metavar="FILE:LINE", help="those that touch these lines")
    parser.add_argument("--named", nargs="*", metavar="NAME", help="those of tools/mutants/named.json")
    parser.add_argument("--survivors", action="store_true", help="those that survived the last run")
    parser.add_argument("--list", action="store_true", help="show them, judge none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE",
                        help="default: build/mutants/results.json")
    parser.add_argument("--root", type=pathlib.Path, metavar="DIR", help="of another project of this form",
                        default=pathlib.Path(__file__).resolve().parent.parent)
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    options.root = options.root.resolve()
    options.results = options.results or options.root / "build" / "mutants" / "results.json"
    return options


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    options = parsed(arguments)
    signal.signal(signal.SIGTERM, interrupt)
    children = Children()
    try:
        results = Results(options.results)
        chosen = chosen_mutants(options, results.of)
        if options.sample is not None:
            say(f"seed {options.seed}")
        if options.list:
            for one in chosen:
                print(shown(one))
            say(f"{len(chosen)} mutants")
            return 0
        run = Run(options, Scratch(options.root, children), results)
        run.judge_all(chosen)
        say(run.summary())
        return 1 if run.counts["survived"] else 0
    except Failure as failure:
        say(f"error: {failure}")
        return 3
    except KeyboardInterrupt:
        children.stop()
        say("interrupted; the same command continues")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
