"""RemoteRanker and the functions that run the program, against a real one: RSD_PROGRAM."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import rsd
from rsd import _program

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))
from support.rsd_server import Server  # noqa: E402

TINY = ROOT / "tests/models/tiny-bpe.gguf"
DOCS = ["Green tea is harvested in spring.", "Steep green tea for two minutes.",
        "Coffee is ground before it is brewed."]
QUERY = "how long to steep green tea"


class Remote(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(_program.program_path(), "--model", TINY, "--threads", "1", "--policy",
                            "replay", env={**os.environ, "RSD_API_KEY": "secret"})
        cls.server.__enter__()
        cls.url = f"http://127.0.0.1:{cls.server.port}"
        cls.ranker = rsd.RemoteRanker(cls.url, api_key="secret")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__(None, None, None)

    def test_answers_are_those_of_a_ranker(self):
        options = {"budget": 2, "keep_rounds": True}
        far = self.ranker.rank(QUERY, DOCS, ids=["a", "b", "c"], **options)
        with rsd.Ranker(TINY, threads=1, policy="replay") as ranker:
            near = ranker.rank(QUERY, DOCS, ids=["a", "b", "c"], **options)
        for name in ("order", "ids", "encodings", "verified_prefix", "budget", "decoder",
                     "tokens_encoded", "deadline_hit", "windows", "none_relevant"):
            self.assertEqual(getattr(far, name), getattr(near, name), name)
        for one, other in zip(far, near):
            self.assertAlmostEqual(one.relevance, other.relevance, places=6)
        self.assertEqual([(r.proposal, r.accepted, r.known, r.items) for r in far.rounds],
                         [(r.proposal, r.accepted, r.known, r.items) for r in near.rounds])

    def test_histories_and_many_requests(self):
        answers = self.ranker.rank_many([(QUERY, DOCS), {"history": ["Alien"], "docs": DOCS[:2]}])
        self.assertEqual([len(answer) for answer in answers], [3, 2])

    def test_errors_are_the_servers(self):
        with self.assertRaisesRegex(rsd.InvalidRequest, "decoder"):
            self.ranker.rank(QUERY, DOCS, decoder="best")
        with self.assertRaises(rsd.RsdError) as caught:
            rsd.RemoteRanker(self.url, api_key="wrong").rank(QUERY, DOCS)
        self.assertEqual(caught.exception.code, "invalid_argument")
        with self.assertRaises(TypeError):
            self.ranker.rank(QUERY, DOCS, threads=3)

    def test_a_server_that_is_not_there_is_unavailable(self):
        with self.assertRaises(rsd.RsdError) as caught:
            rsd.RemoteRanker("http://127.0.0.1:1").rank(QUERY, DOCS)
        self.assertEqual(caught.exception.code, "unavailable")
        with self.assertRaises(ValueError):
            rsd.RemoteRanker("127.0.0.1:8080")


class Program(unittest.TestCase):
    def test_evaluates_request_files(self):
        results = rsd.evaluate(ROOT / "examples/passages.jsonl", model=TINY, decoders=["ar", "rsd"],
                               budgets=[2], limit=2, threads=1, policies=["replay"])
        self.assertIn("rsd", str(results))

    def test_trains_an_agent_that_a_ranker_loads(self):
        with tempfile.TemporaryDirectory() as folder:
            agent = rsd.train(ROOT / "examples/passages.jsonl", pathlib.Path(folder) / "agent.gguf",
                              model=TINY, limit=4, decodings=1, supervised_steps=2,
                              supervised_only=True, threads=1)
            with rsd.Ranker(TINY, agent=agent, threads=1) as ranker:
                self.assertEqual(len(ranker.rank(QUERY, DOCS, policy="agent")), 3)

    def test_failures_have_the_programs_words(self):
        with self.assertRaises(rsd.ModelNotFound) as caught:
            rsd.evaluate("no/such/requests.jsonl", model=TINY)
        self.assertIn("no/such/requests.jsonl", str(caught.exception))
        with self.assertRaises(rsd.InvalidRequest):
            rsd.evaluate(ROOT / "examples/passages.jsonl", model=TINY, no_such_flag=3)

    def test_the_console_script_becomes_the_program(self):
        script = "import rsd._program; rsd._program.main()"
        done = subprocess.run([sys.executable, "-c", script, "--version"], capture_output=True,
                              text=True, check=True)
        self.assertIn(rsd.__version__, done.stdout)


if __name__ == "__main__":
    unittest.main()
