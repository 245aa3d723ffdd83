"""The figures of the comparison of quality, and that a run goes on where it ended. No contender is needed."""

from __future__ import annotations

import json
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import quality  # noqa: E402
from contenders import Answer  # noqa: E402


def request(name: str, grades: dict[str, int], n: int = 4) -> dict:
    candidates = [{"id": f"d{i}", "text": f"text {i}"} for i in range(n)]
    return {"id": name, "task": "passage", "query": name, "candidates": candidates, "relevance": grades}


class Reversing:
    """A contender that reverses what it is given."""

    process = SimpleNamespace(pid="self")

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[dict] = []

    def rank(self, asked: dict) -> Answer:
        self.asked.append(asked)
        return Answer([c["id"] for c in reversed(asked["candidates"])], 0, 0, 5.0, None, 0)

    def peak_mib(self) -> float:
        return 7.0


class Figures(unittest.TestCase):
    def test_they_are_those_of_rsd_eval(self):
        found = quality.figures(["b", "a", "c"], {"a": 2, "c": 1, "d": 0})
        self.assertEqual(found["MRR"], 0.5)
        self.assertEqual(found["Recall@1"], 0)
        # Gains 2 and 1 in second and third place; at best in first and second.
        self.assertAlmostEqual(found["nDCG@10"], (2 / 1.584963 + 1 / 2) / (2 + 1 / 1.584963), places=5)
        self.assertEqual(quality.figures(["c", "a"], {"a": 2, "c": 1})["Recall@1"], 0.5)

    def test_a_request_without_anything_relevant_has_none(self):
        self.assertIsNone(quality.figures(["a"], {"a": 0}))
        self.assertIsNone(quality.figures(["a"], {}))

    def test_chance_is_the_mean_of_random_orders(self):
        found = quality.random_figures(request("q", {"d0": 1}), draws=4000)
        self.assertAlmostEqual(found["Recall@1"], 1 / 4, delta=0.03)
        self.assertAlmostEqual(found["MRR"], (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, delta=0.03)


class Measuring(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "measured.jsonl"

    def test_all_contenders_get_the_same_shuffled_candidates(self):
        one, other = Reversing("one"), Reversing("other")
        requests = [request(f"q{i}", {"d0": 1}, n=12) for i in range(3)]
        quality.measure("set", requests, [one, other], quality.Measurements(self.path))
        orders = {c.name: sorted((r["id"], [d["id"] for d in r["candidates"]]) for r in c.asked) for c in (one, other)}
        self.assertEqual(orders["one"], orders["other"])
        self.assertNotEqual([d["id"] for d in one.asked[0]["candidates"]], [f"d{i}" for i in range(12)])

    def test_a_run_goes_on_where_it_ended_and_measures_what_was_cut(self):
        requests = [request("a", {"d0": 1}), request("b", {"d1": 1})]
        quality.measure("set", requests, [Reversing("one")], quality.Measurements(self.path))
        whole = self.path.read_text()
        self.path.write_text(whole[:-5])  # killed while it wrote
        again = Reversing("one")
        quality.measure("set", requests, [again], quality.Measurements(self.path))
        self.assertEqual([r["id"] for r in again.asked], ["b"])
        read = [json.loads(line) for line in self.path.read_text().splitlines()]
        self.assertEqual([line["request"] for line in read], ["a", "b"])

    def test_rows_compare_the_requests_that_all_contenders_ranked(self):
        requests = [request("a", {"d0": 1}), request("b", {"d0": 1}), request("none", {"d0": 0})]
        measurements = quality.Measurements(self.path)
        for contender, ranked in (("ar", requests), ("MiniLM", requests[:1])):
            for each in ranked:
                measurements.add(
                    {"set": "s", "request": each["id"], "contender": contender, "ranking": ["d0", "d1"], "cpu_ms": 3, "peak_mib": 9}
                )
        table = quality.rows("s", requests, measurements.lines)
        self.assertIn("1 requests of 4 candidates", table[0])
        self.assertEqual([row.split(" | ")[0] for row in table[3:]], ["| random", "| first stage (BM25)", "| MiniLM", "| ar"])
        self.assertIn("1.000 (1.000 to 1.000)", table[-1])
        self.assertTrue(table[-1].endswith("| 3 | 9 |"))


if __name__ == "__main__":
    unittest.main()
