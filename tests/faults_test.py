"""Faults on purpose: processes that are killed, disks that are full, calls that are interrupted.

Whatever happens, nothing is lost, half written or wrong, and the message names the file.

Usage: faults_test.py RSD FAULTS_LIBRARY [unittest's arguments]
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import cli_test
from cli_test import BLOCKS, EXAMPLES, LORA, MODEL, OK, RUNTIME, CliTest, request, requests
from support import faults
from support.rsd_server import Server
from support.faults import CHANGES, INTERRUPTIBLE, always, count, faulty, rule, sometimes, spread

SEED = int(os.environ.get("RSD_FAULTS_SEED", random.SystemRandom().randrange(1 << 32)))


class Job:
    """A command that writes files into a folder, and goes on where it was interrupted."""

    PRINTS = True  # where its result is

    def __init__(self, test, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="job-", dir=folder))
        self.prepare(test)

    def prepare(self, test):
        """Writes what the command reads."""

    def command(self):
        raise NotImplementedError

    def result(self):
        """What must be the same whether the command was disturbed or not."""
        raise NotImplementedError

    def check_interrupted(self, test):
        """What must hold after an interruption."""

    def check_full(self, test):
        """What must hold when it has found no space to write to."""

    @property
    def files(self):
        """A pattern for the paths that it writes."""
        return f"{self.folder}*"

    def run(self, env=None):
        return cli_test.run(*self.command(), env=env)

    def names(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*")
                      if path.is_file())


class Rank(Job):
    """The run of a file of requests; a TREC run has no times that differ."""

    PRINTS = False
    N = 8
    FORMAT = ["--format", "trec"]

    def prepare(self, test):
        self.requests = test.write("requests.jsonl", requests(self.N, 6))

    def command(self):
        return ["rank", "--requests", self.requests, "-m", MODEL, "-t", 1, "--decoder", "ar",
                "--output", self.folder / "out", "--resume", *self.FORMAT]

    def result(self):
        return self.names(), (self.folder / "out").read_bytes()

    def check_interrupted(self, test):
        test.assertTrue(not (self.folder / "out").exists() or self.is_whole())

    def is_whole(self):
        return (self.folder / "out").read_text().count("\n") == self.N * 6


class RankMore(Rank):
    """The same once some of the requests have their answers, which stay as they are."""

    FORMAT = []

    def prepare(self, test):
        super().prepare(test)
        lines = pathlib.Path(self.requests).read_text().splitlines(True)
        some = test.write("some.jsonl", "".join(lines[:4]))
        command = self.command()
        command[command.index(self.requests)] = some
        test.check(cli_test.run(*command), OK)
        self.before = (self.folder / "out").read_text()

    def result(self):
        answers = cli_test.answers((self.folder / "out").read_text())
        return self.names(), [(answer["id"], answer["ranking"]) for answer in answers]

    def is_whole(self):
        """The answers of the first run, as they were: their times show whether they are new."""
        text = (self.folder / "out").read_text()
        return text.startswith(self.before) and text.count("\n") in (4, self.N)


class Index(Job):
    def prepare(self, test):
        words = cli_test.WORDS
        texts = {f"m{i}": " ".join(words[(i + w * w) % 12] for w in range(9)) for i in range(300)}
        self.corpus = test.write("corpus.jsonl", "".join(
            json.dumps({"_id": key, "text": text}) + "\n" for key, text in texts.items()))

    def command(self):
        return ["index", "-m", MODEL, "-t", 1, "--prompt-template", BLOCKS, "--corpus", self.corpus,
                "--out", self.folder]

    def result(self):
        return self.names(), (self.folder / "candidates.rsdi").read_bytes()


class Train(Job):
    def prepare(self, test):
        self.requests = test.write("requests.jsonl", requests(6, 5))

    def command(self):
        return ["train", "--requests", self.requests, "-m", MODEL, "-t", 1, "--out",
                self.folder / "agent.gguf", "--supervised-steps", 12, "--rpo-steps", 3,
                "--rollouts", 2, "--budget", 2]

    def result(self):
        kept = self.folder / "agent.gguf.training"
        return (self.names(), (self.folder / "agent.gguf").read_bytes(),
                (kept / "traces.jsonl").read_text(), (kept / "metrics.jsonl").read_text())


class Evaluate(Job):
    TIMES = re.compile(r"ms|machine|command|load")

    def command(self):
        return ["eval", "--requests", EXAMPLES, "--limit", 3, "-m", MODEL, "-t", 1, "--budgets", 2,
                "--decoders", "ar,rsd", "--out", self.folder, "--resume"]

    def result(self):
        results = json.loads((self.folder / "results.json").read_text())
        (dataset,) = results["datasets"]
        rows = [{key: value for key, value in row.items() if not self.TIMES.search(key)}
                for row in dataset["rows"]]
        return self.names(), dataset["requests"], rows


class Prepare(Job):
    """A model that takes the place of one of another type."""

    def prepare(self, test):
        test.check(cli_test.run(*self.command("f16")), OK)
        self.before = self.model()

    def command(self, kind="f32"):
        return ["model", "prepare", "-t", 1, "--model", MODEL, "--lora", LORA, "--type", kind,
                "--check-requests", "none", "--output", self.folder / "out.gguf"]

    def model(self):
        record = json.loads((self.folder / "out.gguf.json").read_text())
        return record["type"], (self.folder / "out.gguf").read_bytes()

    def result(self):
        return self.names(), self.model()

    def check_full(self, test):
        """The earlier model still has its record; the other has its own or none."""
        if (self.folder / "out.gguf").read_bytes() == self.before[1]:
            test.assertEqual(self.model(), self.before)


JOBS = [Rank, RankMore, Index, Train, Evaluate, Prepare]


class FaultsTest(CliTest):
    def undisturbed(self, kind):
        """The result of the job, and the number of its calls that change files."""
        job = kind(self, self.folder)
        n_calls = count(CHANGES, job.files, lambda env: self.check(job.run(env), OK))
        return job.result(), n_calls

    def finish(self, job, expected):
        """The same command once more gives what one that was not disturbed gives."""
        job.check_interrupted(self)
        self.check(job.run(), OK)
        self.assertEqual(job.result(), expected)
        job.check_interrupted(self)


class Killed(FaultsTest):
    """kill -9 before a system call that changes files, and in the middle of a write."""

    MOMENTS = 7

    def killed_at_its_calls(self, kind):
        expected, n_calls = self.undisturbed(kind)
        self.assertGreater(n_calls, 3)
        for fault in ["kill", "tear"]:
            for number in spread(n_calls, self.MOMENTS):
                with self.subTest(fault=fault, call=number):
                    job = kind(self, self.folder)
                    done = job.run(faulty(rule(CHANGES, job.files, fault, number)))
                    if done.returncode != OK:  # a call that isn't a write can't be torn
                        self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
                    self.finish(job, expected)


class FullDisk(FaultsTest):
    """Calls that fail from some moment on, for good."""

    MOMENTS = 4

    def fails_from(self, kind, calls, fault, reason):
        job = kind(self, self.folder)
        n_calls = count(calls, job.files, lambda env: self.check(job.run(env), OK))
        expected = job.result()
        self.assertGreater(n_calls, 0)
        for number in spread(n_calls, self.MOMENTS):
            with self.subTest(calls=calls, fault=fault, call=number):
                job = kind(self, self.folder)
                done = job.run(faulty(always(calls, job.files, fault, number)))
                self.check(done, RUNTIME, re.escape(str(job.folder)), reason)
                self.assertNotIn("defect", done.stderr)
                if fault == "ENOSPC" and calls != "rename":
                    job.check_full(self)
                self.finish(job, expected)

    def no_space(self, kind):
        self.fails_from(kind, "write,fwrite", "ENOSPC", "No space left on device")

    def no_rename(self, kind):
        self.fails_from(kind, "rename", "ENOSPC", "No space left on device")

    def no_sync(self, kind):
        self.fails_from(kind, "fsync", "EIO", "Input/output error")

    def read_only(self, kind):
        self.fails_from(kind, "create,fcreate,mkdir,rename", "EROFS", "Read-only file system")


class Interrupted(FaultsTest):
    """Calls that a signal interrupts, one in two, and calls that move half of their bytes."""

    def interrupted(self, kind):
        expected, _ = self.undisturbed(kind)
        for name, rules in [("EINTR", [sometimes(INTERRUPTIBLE, "*", "EINTR", 2)]),
                            ("short", [always("read,pread,write", "*", "short")])]:
            with self.subTest(name):
                job = kind(self, self.folder)
                self.check(job.run(faulty(*rules)), OK)
                self.assertEqual(job.result(), expected)


class Clock(FaultsTest):
    """The wall clock jumps by years at each look."""

    def jumps(self, kind):
        expected, _ = self.undisturbed(kind)
        job = kind(self, self.folder)
        self.check(job.run(faulty(RSD_CLOCK_JUMPS="7")), OK)
        self.assertEqual(job.result(), expected)


class Signalled(FaultsTest):
    """SIGKILL, SIGTERM and SIGINT at any moment."""

    TIMES = 3

    def ended_at_random(self, kind):
        draw = random.Random(SEED)
        began = time.monotonic()
        expected, _ = self.undisturbed(kind)
        seconds = time.monotonic() - began
        for turn in range(self.TIMES):
            sent = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT][turn % 3]
            moment = draw.uniform(0, seconds)
            with self.subTest(seed=SEED, signal=sent.name, moment=moment):
                job = kind(self, self.folder)
                command = [cli_test.RSD, *map(str, job.command())]
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    process.wait(moment)
                except subprocess.TimeoutExpired:
                    process.send_signal(sent)
                self.assertIn(process.wait(60), [OK, -sent])
                self.finish(job, expected)


class Streams(FaultsTest):
    """Standard streams that are closed, full or without a reader."""

    def run_by_shell(self, job, redirection):
        words = " ".join(f"'{word}'" for word in [cli_test.RSD, *job.command()])
        return subprocess.run(["sh", "-c", f"exec {words} {redirection}"], timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def nobody_takes_the_output(self, kind):
        """Its files are whole all the same, and the exit code is that of a failure."""
        expected, _ = self.undisturbed(kind)
        for redirection in [">&-", "> /dev/full"]:
            with self.subTest(redirection):
                job = kind(self, self.folder)
                done = self.run_by_shell(job, redirection)
                self.check_unheard(done, job, expected)
        job = kind(self, self.folder)
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb") as pipe:
            done = cli_test.run(*job.command(), stdout=pipe)
        self.check_unheard(done, job, expected)

    def check_unheard(self, done, job, expected):
        if job.PRINTS:
            self.check(done, RUNTIME, "can't write to standard output")
        else:
            self.check(done, OK)
        self.assertEqual(job.result(), expected)

    def nobody_takes_the_log(self, kind):
        expected, _ = self.undisturbed(kind)
        for redirection in ["2>&-", "2> /dev/full", "<&-", "<&- 2>&-"]:
            with self.subTest(redirection):
                job = kind(self, self.folder)
                self.assertEqual(self.run_by_shell(job, redirection).returncode, OK)
                self.assertEqual(job.result(), expected)
        job = kind(self, self.folder)
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb") as pipe:
            command = [cli_test.RSD, *map(str, job.command())]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=pipe, timeout=60)
        self.assertEqual(done.returncode, OK)
        self.assertEqual(job.result(), expected)


class SlowReader(CliTest):
    def test_a_pipe_that_is_full_and_does_not_block_is_waited_for(self):
        """Another program that has the pipe or the terminal may have set it so."""
        path = self.write("in.jsonl", requests(300, 60))
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        command = [cli_test.RSD, "rank", "--requests", path, "-m", MODEL, "-t", "1",
                   "--deadline-ms", "1"]
        with open(reading, "rb") as reader, subprocess.Popen(
                command, stdout=writing, stderr=subprocess.PIPE, text=True) as process:
            end = time.monotonic() + 120
            while process.poll() is None and select.select([], [writing], [], 0)[1]:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            time.sleep(0.3)  # in which it meets the full pipe
            os.close(writing)
            text = reader.read().decode()
            log = process.communicate(timeout=120)[1]
        self.assertEqual(process.returncode, OK, log)
        self.assertEqual([answer["id"] for answer in cli_test.answers(text)],
                         [f"r{i}" for i in range(300)])


class Memory(CliTest):
    """Allocations that fail for want of address space."""

    def limited(self, command, n_bytes, **options):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
        return cli_test.run(*command, preexec_fn=limit, **options)

    def least_that_does(self, command):
        """In MiB."""
        too_little, enough = 1, 4096
        self.check(self.limited(command, enough << 20), OK)
        while enough - too_little > 1:
            middle = (too_little + enough) // 2
            does = self.limited(command, middle << 20).returncode == OK
            too_little, enough = (too_little, middle) if does else (middle, enough)
        return enough

    def ends_with_a_message(self, command):
        enough = self.least_that_does(command)
        for mib in range(enough - 1, max(enough - 60, 8), -3):
            with self.subTest(mib=mib, enough=enough):
                done = self.limited(command, mib << 20)
                if done.returncode == 127:  # of the loader, which had no memory for the libraries
                    break
                self.assertIn(done.returncode, [OK, RUNTIME, cli_test.INVALID], done.stderr)
                if done.returncode != OK:
                    self.assertRegex(done.stderr, "error: .*")
                self.assertNotIn("defect", done.stderr)

    def test_a_ranking_ends_with_a_message(self):
        long = self.write("long.jsonl", request("long", 60))
        self.ends_with_a_message(["rank", "--requests", long, "-m", MODEL, "-t", 1])

    def test_a_request_that_the_server_has_no_memory_for_fails_alone(self):
        text = " ".join(cli_test.WORDS)
        small = {"query": "tea", "documents": ["green tea", "black coffee"]}
        large = {"query": "tea", "documents": [f"{text} {i} " * 400 for i in range(50)]}
        with Server(cli_test.RSD, "-m", MODEL, "-t", 1, "--max-tokens-per-request", 0) as server:
            self.assertEqual(server.post("/v1/rerank", small).status, 200)
            status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
            n_bytes = int(re.search(r"VmSize:\s+(\d+) kB", status)[1]) << 10
            statuses = []
            for spare_mib in [0, 1, 2, 4, 8, 16, 32, 1024]:
                limit = n_bytes + (spare_mib << 20)
                resource.prlimit(server.process.pid, resource.RLIMIT_AS,
                                 (limit, resource.RLIM_INFINITY))
                with self.subTest(spare_mib=spare_mib):
                    reply = server.post("/v1/rerank", large)
                    self.assertIn(reply.status, [200, 500, 503], reply.body)
                    statuses.append(reply.status)
                    self.assertEqual(server.post("/v1/rerank", small).status, 200)
            self.assertEqual((statuses[0] != 200, statuses[-1]), (True, 200), statuses)
            self.assertNotIn("defect", server.log())
            self.assertEqual(server.stop(), 0)


class ServedModel(CliTest):
    """A model's file that changes while it is served."""

    def setUp(self):
        super().setUp()
        self.model = self.folder / "model.gguf"
        shutil.copy(MODEL, self.model)

    def serve(self, *options, **more):
        return Server(cli_test.RSD, "-m", self.model, "-t", 1, "--cache-ram", 0, *options, **more)

    def rank(self, server, name="a"):
        return server.post("/v1/rank", request(name, 6))

    def ranking(self, server, name="a"):
        (answer,) = self.rank(server, name).json()["answers"]
        return answer["ranking"], answer["scores"]

    def test_one_that_takes_its_name_changes_nothing(self):
        with self.serve() as server:
            before = self.ranking(server)
            other = self.folder / "other.gguf"
            shutil.copy(cli_test.MODELS / "tiny-spm.gguf", other)
            other.replace(self.model)
            self.assertEqual(self.ranking(server), before)
            self.model.unlink()
            self.assertEqual(self.ranking(server), before)
            self.assertEqual(server.stop(), 0)

    def overwrite(self):
        with open(self.model, "r+b") as file:
            file.seek(os.stat(self.model).st_size // 2)
            file.write(bytes(1000))

    def test_one_that_is_cut_or_written_to_gives_errors_and_no_wrong_answers(self):
        for change in [lambda: os.truncate(self.model, 4096), lambda: os.truncate(self.model, 0),
                       self.overwrite]:
            shutil.copy(MODEL, self.model)
            with self.serve() as server:
                self.ranking(server)
                change()
                for name in ["a", "another"]:
                    reply = self.rank(server, name)
                    self.assertEqual(reply.status, 500, reply.body)
                self.assertRegex(server.log(), r"model \S*model\.gguf was written to or cut while it "
                                               r"was in use; it is read again after a restart")
                self.assertEqual(server.get("/health").status, 200)
                self.assertEqual(server.stop(), 0)


class ServerSignals(CliTest):
    def test_one_that_is_starting_ends_whenever_it_is_told_to(self):
        draw = random.Random(SEED)
        for turn in range(16):
            sent = [signal.SIGTERM, signal.SIGINT][turn % 2]
            moment = draw.uniform(0, 0.3)
            with self.subTest(seed=SEED, signal=sent.name, moment=moment):
                socket = self.folder / "socket"
                server = Server(cli_test.RSD, "-m", MODEL, "-t", 1, unix_socket=socket)
                try:
                    time.sleep(moment)
                    server.process.send_signal(sent)
                    # Before it has asked for them, signals end it as they end any process.
                    self.assertIn(server.process.wait(60), [0, -sent], server.log())
                    self.assertFalse(socket.exists())
                    self.assertNotIn("error", server.log())
                finally:
                    server.__exit__()

    def test_one_that_is_ranking_finishes_whenever_it_is_told_to_end(self):
        draw = random.Random(SEED)
        body = {"requests": [json.loads(request(f"r{i}", 12)) for i in range(6)], "decoder": "ar"}
        for turn in range(8):
            sent = [signal.SIGTERM, signal.SIGINT][turn % 2]
            moment = draw.uniform(0, 0.2)
            with self.subTest(seed=SEED, signal=sent.name, moment=moment):
                with Server(cli_test.RSD, "-m", MODEL, "-t", 1) as server, \
                        concurrent.futures.ThreadPoolExecutor() as pool:
                    reply = pool.submit(server.post, "/v1/rank", body)
                    time.sleep(moment)
                    server.process.send_signal(sent)
                    self.assertEqual(server.process.wait(60), 0, server.log())
                    self.check_whole(reply)

    def check_whole(self, reply):
        """All answers, a refusal, or no connection any more."""
        try:
            answered = reply.result()
        except OSError:
            return
        self.assertIn(answered.status, [200, 503])
        if answered.status == 200:
            self.assertEqual([answer["id"] for answer in answered.json()["answers"]],
                             [f"r{i}" for i in range(6)])
            self.assertTrue(all("ranking" in answer for answer in answered.json()["answers"]))


class ServerFaults(CliTest):
    def answers(self, env=None):
        with Server(cli_test.RSD, "-m", MODEL, "-t", 1, "--cache-ram", 0, env=env) as server:
            body = {"requests": [json.loads(request(f"r{i}", 8)) for i in range(10)],
                    "deadline_ms": 600_000}
            answers = server.post("/v1/rank", body).json()["answers"]
            self.assertTrue(server.get("/openapi.json").body)
            self.assertEqual(server.stop(), 0)
        self.assertFalse(any(answer["deadline_hit"] for answer in answers))
        return [(answer["id"], answer["ranking"], answer["scores"]) for answer in answers]

    def test_interruptions_short_transfers_and_a_jumping_clock_change_no_answer(self):
        expected = self.answers()
        for env in [faulty(sometimes(INTERRUPTIBLE, "*", "EINTR", 3)),
                    faulty(always("recv,send,read,write", "*", "short")),
                    faulty(RSD_CLOCK_JUMPS="11")]:
            self.assertEqual(self.answers(env), expected)

    def test_a_full_disk_for_the_log_and_the_port_harms_no_answer(self):
        full = faulty(always("write,fwrite", "*/log", "ENOSPC"))
        self.assertEqual(self.answers(full), self.answers())
        port = str(self.folder / "port")
        done = cli_test.run("serve", "-m", MODEL, "--port", 0, "--port-file", port,
                            env=faulty(always("write", f"{self.folder}/*", "ENOSPC")))
        self.check(done, RUNTIME, f"{port}: can't be written: No space left on device")
        self.assertFalse(os.path.exists(port))


@unittest.skipUnless(os.geteuid() == 0, "needs root, for mount")
class SmallDisk(FaultsTest):
    """A file system in memory that is really full, or read-only."""

    def setUp(self):
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", self.disk],
                              capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"no tmpfs can be mounted here: {done.stderr}")
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.disk], check=True)

    def fill(self):
        filler = self.disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        return filler

    def full(self, kind):
        expected, _ = self.undisturbed(kind)
        job = kind(self, self.disk)
        filler = self.fill()
        self.check(job.run(), RUNTIME, re.escape(str(job.folder)), "No space left|has room for")
        filler.unlink()
        self.finish(job, expected)

    def read_only(self, kind):
        expected, _ = self.undisturbed(kind)
        job = kind(self, self.disk)
        self.remount("ro")
        self.check(job.run(), RUNTIME, re.escape(str(job.folder)), "Read-only file system")
        self.remount("rw")
        self.finish(job, expected)


def add_tests(test_class, *names):
    """A test for each job and each of the methods."""
    for kind in JOBS:
        for name in names:
            def test(self, name=name, kind=kind):
                getattr(self, name)(kind)
            setattr(test_class, f"test_{kind.__name__.lower()}_{name}", test)


add_tests(Killed, "killed_at_its_calls")
add_tests(FullDisk, "no_space", "no_rename", "no_sync", "read_only")
add_tests(Interrupted, "interrupted")
add_tests(Clock, "jumps")
add_tests(Signalled, "ended_at_random")
add_tests(SmallDisk, "full", "read_only")
add_tests(Streams, "nobody_takes_the_output", "nobody_takes_the_log")


if __name__ == "__main__":
    cli_test.RSD = sys.argv.pop(1)
    faults.LIBRARY = sys.argv.pop(1)
    print(f"seed {SEED}; RSD_FAULTS_SEED repeats it", file=sys.stderr)
    unittest.main()
