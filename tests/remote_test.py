"""Remote engines on the command line, with a fake server and a tiny model's tokenizer.

Usage: remote_test.py RSD FAKE_ENGINE [unittest's arguments]
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from support import processes
from support.rsd_server import Server

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = str(ROOT / "tests" / "models" / "tiny-bpe.gguf")
EXAMPLES = str(ROOT / "examples" / "recommendations.jsonl")
EXAMPLES_TEXT = pathlib.Path(EXAMPLES).read_text()
RSD = FAKE_ENGINE = ""

OK, USAGE, INVALID, RUNTIME, SOME_FAILED = 0, 2, 5, 6, 7


def run(*arguments, **environment):
    variables = {**os.environ, "no_proxy": "127.0.0.1", **environment}
    return subprocess.run(
        [RSD, *map(str, arguments)], capture_output=True, text=True, timeout=600, env=variables
    )


def rank(*arguments, **environment):
    return run("rank", "--requests", EXAMPLES, "-m", MODEL, *arguments, **environment)


def rankings(done):
    return [json.loads(line)["ranking"] for line in done.stdout.splitlines()]


def request_of(n_candidates):
    """A request in the shape of EXAMPLES' lines, with `n_candidates` candidates."""
    request = json.loads(EXAMPLES_TEXT.splitlines()[0])
    candidates = request["candidates"]
    request["candidates"] = [
        {**candidates[n % len(candidates)], "id": f"c{n}"} for n in range(n_candidates)
    ]
    return request


class FakeEngine(processes.FakeEngine):
    def __init__(self, *arguments):
        super().__init__(FAKE_ENGINE, *arguments)


class RemoteRank(unittest.TestCase):
    def test_all_ways_of_asking_give_the_same_rankings(self):
        with FakeEngine() as url, FakeEngine("--no-generate") as old:
            by_generate = rank("--engine", "vllm", "--engine-url", url, "--log-level", "info")
            by_completions = rank("--engine", "vllm", "--engine-url", old, "--log-level", "info")
            by_sglang = rank("--engine", "sglang", "--engine-url", url)
            exact = rank("--engine", "vllm", "--engine-url", url, "--decoder", "exact")
            ar = rank("--engine", "vllm", "--engine-url", url, "--decoder", "ar")
        for done in (by_generate, by_completions, by_sglang, exact, ar):
            self.assertEqual(done.returncode, OK, done.stderr)
        self.assertIn("is asked by vLLM /inference/v1/generate", by_generate.stderr)
        self.assertIn("is asked by vLLM /v1/completions", by_completions.stderr)
        self.assertEqual(len(rankings(by_generate)), len(EXAMPLES_TEXT.splitlines()))
        self.assertEqual(rankings(by_completions), rankings(by_generate))
        self.assertEqual(rankings(by_sglang), rankings(by_generate))
        self.assertEqual(rankings(exact), rankings(ar))

    def test_rankings_do_not_depend_on_how_many_go_on_at_a_time_or_on_how_many_servers(self):
        with FakeEngine() as one, FakeEngine() as other:
            alone = rank("--engine", "vllm", "--engine-url", one, "--parallel", 1)
            both = rank("--engine", "vllm", "--engine-url", one, "--engine-url", other)
        self.assertEqual(alone.returncode, OK, alone.stderr)
        self.assertEqual(rankings(alone), rankings(both))

    def test_a_deadline_is_kept(self):
        with FakeEngine("--slow-ms", "300") as url:
            done = rank("--engine", "vllm", "--engine-url", url, "--deadline-ms", 100)
        self.assertEqual(done.returncode, OK, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(all(answer["deadline_hit"] for answer in answers))
        self.assertTrue(all(answer["encodings"] == 0 for answer in answers))
        self.assertTrue(all(answer["timing_ms"]["decode"] > 0 for answer in answers))

    def test_a_round_trip_is_not_taken_for_the_price_of_a_token(self):
        # A prompt of 64 tokens takes as long as one of 500: there is time for several rounds.
        with FakeEngine("--slow-ms", "300") as url:
            done = rank("--engine", "vllm", "--engine-url", url, "--deadline-ms", 1800,
                        "--budget", 3)
        self.assertEqual(done.returncode, OK, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertGreaterEqual(min(answer["encodings"] for answer in answers), 2, done.stdout)

    def test_a_long_list_has_time_for_all_of_its_windows(self):
        with tempfile.TemporaryDirectory() as folder, FakeEngine("--slow-ms", "100") as url:
            requests = pathlib.Path(folder) / "requests.jsonl"
            requests.write_text(json.dumps(request_of(60)))
            done = run("rank", "--requests", requests, "-m", MODEL, "--engine", "vllm",
                       "--engine-url", url, "--window", 20, "--deadline-ms", 3500, "--budget", 5)
        self.assertEqual(done.returncode, OK, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["windows"]["count"], 5)
        self.assertFalse(answer["deadline_hit"])

    def test_more_candidates_than_the_server_takes_are_ranked_in_windows(self):
        with tempfile.TemporaryDirectory() as folder, FakeEngine("--no-generate") as url:
            requests = pathlib.Path(folder) / "requests.jsonl"
            requests.write_text(json.dumps(request_of(130)))
            done = run("rank", "--requests", requests, "-m", MODEL, "--engine", "vllm",
                       "--engine-url", url)
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertGreater(json.loads(done.stdout)["windows"]["count"], 1)

    def test_a_topic_of_blank_documents_fails_alone(self):
        with tempfile.TemporaryDirectory() as folder, FakeEngine() as url:
            files = pathlib.Path(folder)
            (files / "run").write_text("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 1 t\n"
                                       "q2 Q0 d2 1 2 t\nq2 Q0 d3 2 1 t\n")
            (files / "topics").write_text("q1\tpeas\nq2\twar and peace\n")
            (files / "corpus").write_text("d1\tone\nd2\t\nd3\t\n")
            done = run("rank", "--run", files / "run", "--topics", files / "topics", "--corpus",
                       files / "corpus", "-m", MODEL, "--engine", "vllm", "--engine-url", url,
                       "--ctx-size", 300)
        self.assertEqual(done.returncode, SOME_FAILED, done.stderr)
        self.assertIn('run:3: topic "q2": candidates has 2 entries, and all their texts are blank',
                      done.stderr)
        self.assertEqual([json.loads(line)["id"] for line in done.stdout.splitlines()], ["q1"])

    def test_the_key_comes_from_the_environment(self):
        with FakeEngine("--key", "s3cret") as url:
            arguments = ["--engine", "vllm", "--engine-url", url]
            refused = rank(*arguments)
            allowed = rank(*arguments, RSD_ENGINE_API_KEY="s3cret")
        self.assertEqual(refused.returncode, RUNTIME)
        self.assertIn("API key", refused.stderr)
        self.assertEqual(allowed.returncode, OK, allowed.stderr)

    def test_the_key_goes_over_plain_http_only_where_that_is_allowed(self):
        arguments = ["--engine", "vllm", "--engine-url", "http://0.0.0.0:1"]
        refused = rank(*arguments, RSD_ENGINE_API_KEY="s3cret")
        self.assertEqual(refused.returncode, USAGE, refused.stderr)
        self.assertIn("--engine-key-over-http", refused.stderr)
        self.assertNotIn("s3cret", refused.stderr)
        allowed = rank(*arguments, "--engine-key-over-http", RSD_ENGINE_API_KEY="s3cret")
        self.assertEqual(allowed.returncode, RUNTIME, allowed.stderr)

    def test_no_proxy_is_asked_for_this_machine(self):
        with FakeEngine() as url:
            done = rank("--engine", "vllm", "--engine-url", url, http_proxy="http://127.0.0.1:1",
                        no_proxy="")
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_a_server_that_is_not_there_is_named(self):
        with FakeEngine() as url:
            pass
        done = rank("--engine", "vllm", "--engine-url", url)
        self.assertEqual(done.returncode, RUNTIME)
        self.assertIn(url, done.stderr)

    def test_the_server_is_asked_once_for_its_model(self):
        with tempfile.TemporaryDirectory() as folder:
            for command in (["rank"], ["eval", "--limit", 1, "--out", f"{folder}/eval", "--budgets", 1,
                                       "--order-shuffles", 0]):
                engine = FakeEngine()
                with engine as url:
                    done = run(*command, "--requests", EXAMPLES, "-m", MODEL, "--engine", "vllm",
                               "--engine-url", url)
                self.assertEqual(done.returncode, OK, done.stderr)
                self.assertEqual(engine.n_listings, 1, command[0])

    def test_a_model_that_is_not_served_is_refused(self):
        with FakeEngine() as url:
            done = rank("--engine", "vllm", "--engine-url", url, "--engine-model", "another")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("serves made-up, not another", done.stderr)

    def test_what_another_engine_began_is_not_gone_on_with(self):
        with tempfile.TemporaryDirectory() as folder, FakeEngine() as url:
            output = pathlib.Path(folder) / "out.jsonl"
            arguments = ["--engine-url", url, "--output", output]
            # A request that fails at its end leaves what is there, and what it depends on.
            requests = pathlib.Path(folder) / "requests.jsonl"
            requests.write_text(EXAMPLES_TEXT.splitlines(keepends=True)[0])
            begun = subprocess.Popen(
                [RSD, "rank", "--requests", "-", "-m", MODEL, "--engine", "vllm", *arguments],
                stdin=subprocess.PIPE, env={**os.environ, "no_proxy": "127.0.0.1"}, text=True)
            begun.stdin.write(requests.read_text())
            begun.stdin.flush()
            partial = pathlib.Path(f"{output}.partial")
            while not partial.exists() or not partial.read_text():
                self.assertIsNone(begun.poll())
                time.sleep(0.01)
            begun.kill()
            begun.stdin.close()
            begun.wait()
            other = rank("--engine", "sglang", *arguments, "--resume")
            self.assertNotEqual(other.returncode, OK)
            self.assertIn("engine", other.stderr)
            same = rank("--engine", "vllm", *arguments, "--resume")
            self.assertEqual(same.returncode, OK, same.stderr)


class RemoteReplicas(unittest.TestCase):
    def test_those_that_hang_lose_no_request(self):
        lines = [json.dumps({**request_of(8), "id": f"q{n}"}) + "\n" for n in range(20)]
        engines = [FakeEngine() for _ in range(3)]
        with contextlib.ExitStack() as stack:
            urls = [stack.enter_context(engine) for engine in engines]
            arguments = [argument for url in urls for argument in ("--engine-url", url)]
            process = stack.enter_context(subprocess.Popen(
                [RSD, "rank", "--requests", "-", "-m", MODEL, "--engine", "vllm", *arguments,
                 "--engine-timeout-ms", "1500", "--parallel", "6"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={**os.environ, "no_proxy": "127.0.0.1"}))
            process.stdin.write(lines[0])
            process.stdin.flush()
            first = process.stdout.readline()
            for engine in engines[:2]:
                engine.process.send_signal(signal.SIGSTOP)
                stack.callback(engine.process.send_signal, signal.SIGCONT)
            rest, log = process.communicate("".join(lines[1:]), timeout=600)
        self.assertEqual(process.returncode, OK, log)
        answers = [json.loads(line) for line in (first + rest).splitlines()]
        self.assertEqual([answer["id"] for answer in answers], [f"q{n}" for n in range(20)])
        self.assertTrue(all(answer["encodings"] > 0 for answer in answers))
        self.assertIn("is left alone", log)


class RemoteEval(unittest.TestCase):
    def test_evaluates(self):
        with tempfile.TemporaryDirectory() as folder, FakeEngine() as url:
            done = run("eval", "--requests", EXAMPLES, "-m", MODEL, "--limit", 2, "--out", folder,
                       "--engine", "vllm", "--engine-url", url, "--budgets", "1,2",
                       "--order-shuffles", 0)
            self.assertEqual(done.returncode, OK, done.stderr)
            results = json.loads((pathlib.Path(folder) / "results.json").read_text())
        self.assertEqual(results["model"], "made-up")


class RemoteCounts(unittest.TestCase):
    def test_encodings_and_tokens_of_the_decoders_are_those_of_the_formulas(self):
        command = [sys.executable, ROOT / "benchmarks" / "scaling" / "counts.py", "--rsd", RSD,
                   "--fake-engine", FAKE_ENGINE, "--model", MODEL, "--requests", 2, "--words", 5]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
        counts = {name: cells for name, *cells in rows}
        for name, encodings in (("`ar`", 19), ("`std`", 1), ("`rsd` T = 2", 2), ("`rsd` T = 4", 4),
                                ("`rsd` T = 3, sliding", 27)):
            self.assertEqual(float(counts[name][1]), encodings, name)
            self.assertEqual(float(counts[name][2]), encodings, name)
        for name in ("`ar`", "`std`"):
            self.assertEqual(counts[name][4], counts[name][5], name)


class RemoteServe(unittest.TestCase):
    def test_answers_as_rank_does(self):
        environment = {**os.environ, "no_proxy": "127.0.0.1"}
        with FakeEngine() as url:
            engine = ["--engine", "vllm", "--engine-url", url]
            ranked = rank(*engine)
            with Server(RSD, "-m", MODEL, *engine, "--log-level", "info", env=environment) as server:
                reply = server.call("POST", "/v1/rank", EXAMPLES_TEXT.splitlines()[0].encode())
                models = server.call("GET", "/v1/models").body.decode()
                server.stop()  # it reports that it is ready a moment later
                log = server.log()
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.json()["answers"][0]["ranking"], rankings(ranked)[0])
        self.assertIn("made-up", models)
        self.assertIn("16 requests at a time", log)


    def serve(self, *urls):
        engines = [argument for url in urls for argument in ("--engine-url", url)]
        return Server(RSD, "-m", MODEL, "--engine", "vllm", *engines, "--engine-timeout-ms", "1500",
                      env={**os.environ, "no_proxy": "127.0.0.1"})

    @staticmethod
    def post(server, number):
        body = json.dumps({**request_of(8), "id": f"q{number}"})
        return server.post("/v1/rank", body)

    def test_a_replica_that_dies_and_one_that_hangs_cost_no_answer(self):
        for fault in [FakeEngine.kill,
                      lambda engine: engine.process.send_signal(signal.SIGSTOP)]:
            engines = [FakeEngine(), FakeEngine()]
            with contextlib.ExitStack() as stack:
                urls = [stack.enter_context(engine) for engine in engines]
                server = stack.enter_context(self.serve(*urls))
                expected = self.post(server, 0).json()["answers"][0]["ranking"]
                fault(engines[0])
                stack.callback(engines[0].process.send_signal, signal.SIGCONT)
                for number in range(1, 7):
                    reply = self.post(server, number)
                    self.assertEqual(reply.status, 200, reply.body)
                    self.assertEqual(reply.json()["answers"][0]["ranking"], expected)
                self.assertEqual(server.stop(), 0)

    def test_a_slow_replica_costs_time_and_no_answer(self):
        with FakeEngine("--slow-ms", 300) as slow, FakeEngine() as url:
            with self.serve(slow) as server:
                slowly = self.post(server, 0).json()["answers"][0]
            with self.serve(url) as server:
                fast = self.post(server, 0).json()["answers"][0]
        self.assertEqual(slowly["ranking"], fast["ranking"])
        self.assertFalse(slowly["deadline_hit"])

    def test_when_all_replicas_are_dead_requests_fail_and_are_answered_once_one_is_back(self):
        with FakeEngine() as url, self.serve(url) as server:
            expected = self.post(server, 0).json()["answers"][0]["ranking"]
        first = FakeEngine()
        with first as url, self.serve(url) as server:
            first.kill()
            reply = self.post(server, 1)
            self.assertEqual(reply.status, 500, reply.body)
            self.assertIn(url, server.log())
            self.assertEqual(server.get("/health").status, 200)
            with FakeEngine("--port", first.port):
                end = time.monotonic() + 60  # it is tried again after a while
                while (reply := self.post(server, 2)).status != 200:
                    self.assertLess(time.monotonic(), end)
                self.assertEqual(reply.json()["answers"][0]["ranking"], expected)
            self.assertEqual(server.stop(), 0)


class RemoteTrain(unittest.TestCase):
    def test_makes_an_agent(self):
        with tempfile.TemporaryDirectory() as folder, FakeEngine() as url:
            agent = pathlib.Path(folder) / "agent.gguf"
            done = run("train", "--requests", EXAMPLES, "-m", MODEL, "--limit", 4, "--out", agent,
                       "--engine", "vllm", "--engine-url", url, "--decodings", 2,
                       "--supervised-steps", 2, "--rpo-steps", 1, "--rollouts", 2, "-t", 1)
            self.assertEqual(done.returncode, OK, done.stderr)
            self.assertTrue(agent.exists())


class RemoteOptions(unittest.TestCase):
    def assert_refused(self, text, *arguments):
        done = rank(*arguments)
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertIn(text, done.stderr)

    def test_those_that_contradict_each_other_are_refused(self):
        url = ["--engine-url", "http://127.0.0.1:1"]
        self.assert_refused("needs --engine-url", "--engine", "vllm")
        self.assert_refused("--engine-url is for", *url)
        self.assert_refused("--engine-model is for", "--engine-model", "m")
        self.assert_refused("--engine-timeout-ms is for", "--engine-timeout-ms", "100")
        self.assert_refused("--lora is for", "--engine", "vllm", *url, "--lora", "x.gguf")
        self.assert_refused("--gpu-layers is for", "--engine", "sglang", *url, "-ngl", "3")

    def test_unknown_engines_and_addresses_are_refused(self):
        self.assert_refused("vllm", "--engine", "tgi")
        self.assert_refused("http://", "--engine", "vllm", "--engine-url", "127.0.0.1:8000")
        self.assert_refused("port", "--engine", "vllm", "--engine-url", "http://127.0.0.1:99999")
        self.assert_refused("host", "--engine", "vllm", "--engine-url", "http://a,http://b")
        self.assert_refused("0", "--engine", "vllm", "--engine-url", "http://127.0.0.1:1",
                            "--engine-timeout-ms", "0")

    def test_commands_that_need_the_llm_itself_take_no_remote_one(self):
        done = run("bench", "--requests", EXAMPLES, "-m", MODEL, "--out", "x", "--engine", "vllm")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("--engine", done.stderr)


if __name__ == "__main__":
    RSD, FAKE_ENGINE = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
