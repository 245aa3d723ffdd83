#!/usr/bin/env python3
"""The examples with the real Ray and Spark, on a tiny model, in several processes of which one dies.

`./dev test-batch` installs requirements.txt and runs this; what isn't installed is skipped, and says so.
"""

import collections
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import rsd

HERE = pathlib.Path(__file__).resolve().parent
TINY = HERE.parents[1] / "tests/models/tiny-bpe.gguf"
PASSAGES = HERE.parent / "passages.jsonl"
N_REQUESTS = 48


def note_process():
    """Leaves a file for each process that ranks."""
    (pathlib.Path(os.environ["RSD_TEST_FOLDER"]) / f"process-{os.getpid()}").touch()


def die_once():
    """Kills the first process that comes here, as a machine without memory does."""
    try:
        (pathlib.Path(os.environ["RSD_TEST_FOLDER"]) / "died").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class Batch(unittest.TestCase):
    """A folder with requests.jsonl, whose requests have shorter lists than PASSAGES."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.requests = self.folder / "requests.jsonl"
        given = [json.loads(line) for line in PASSAGES.read_text(encoding="utf-8").splitlines()]
        lines = [{"id": f"q{i}", "query": given[i % len(given)]["query"],
                  "candidates": given[i % len(given)]["candidates"][:2 + i % 7]} for i in range(N_REQUESTS)]
        self.requests.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        # The processes of workers inherit them.
        os.environ["RSD_TEST_FOLDER"] = str(self.folder)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])

    def check(self, out):
        """Each request has one answer, that of a ranker; one process died, and several ranked."""
        answers = [json.loads(line) for path in out.glob("*.json") for line in path.read_text().splitlines()]
        counts = collections.Counter(answer["id"] for answer in answers)
        self.assertEqual(counts, {f"q{i}": 1 for i in range(N_REQUESTS)})
        by_id = {answer["id"]: answer for answer in answers}
        with rsd.Ranker(TINY, threads=1) as ranker:
            for line in self.requests.read_text(encoding="utf-8").splitlines():
                request = json.loads(line)
                expected = ranker.rank(request["query"], request["candidates"], budget=2)
                self.assertEqual(by_id[request["id"]]["ranking"], expected.ids)
                self.assertEqual(by_id[request["id"]]["encodings"], expected.encodings)
        self.assertTrue((self.folder / "died").exists())
        self.assertGreaterEqual(len(list(self.folder.glob("process-*"))), 2)


@unittest.skipUnless(importlib.util.find_spec("ray"), "ray isn't installed")
class Ray(Batch):
    def test_a_killed_worker_loses_nothing(self):
        import ray
        import rank_with_ray

        class DiesOnce(rank_with_ray.Rank):
            def __call__(self, batch):
                note_process()
                answers = super().__call__(batch)
                die_once()
                return answers

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        ray.init(num_cpus=3, include_dashboard=False, _node_ip_address="127.0.0.1", object_store_memory=100 << 20,
                 _system_config={"metrics_report_interval_ms": 0})
        self.addCleanup(ray.shutdown)
        rank_with_ray.rank_file(str(self.requests), str(self.folder / "out"), model=str(TINY), workers=2,
                                budget=2, batch_size=4, worker=DiesOnce)
        self.check(self.folder / "out")


@unittest.skipUnless(importlib.util.find_spec("pyspark"), "pyspark isn't installed")
@unittest.skipUnless(shutil.which("java"), "Spark needs Java")
class Spark(Batch):
    def setUp(self):
        super().setUp()
        os.environ.update(SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable)

    def test_a_killed_process_loses_nothing(self):
        import rank_with_spark
        from pyspark.sql import SparkSession

        rank = rank_with_spark.ranking(str(TINY), 1, 2)

        def dies_once(frames):
            note_process()
            for answers in rank(frames):
                die_once()
                yield answers

        session = SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false").getOrCreate()
        self.addCleanup(session.stop)
        rank_with_spark.rank_file(session, str(self.requests), str(self.folder / "out"), partitions=4,
                                  rank=dies_once)
        self.check(self.folder / "out")

    def test_the_program_runs(self):
        subprocess.run([sys.executable, HERE / "rank_with_spark.py", self.requests, self.folder / "out", "--model",
                        TINY, "--budget", "2", "--partitions", "2"], check=True, capture_output=True)
        lines = [line for path in (self.folder / "out").glob("*.json") for line in path.read_text().splitlines()]
        self.assertEqual(len(lines), N_REQUESTS)


if __name__ == "__main__":
    unittest.main()
