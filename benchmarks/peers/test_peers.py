"""The arithmetic of the comparison, and what a generated list is taken for. No peer is needed."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tables  # noqa: E402
import worker  # noqa: E402
from contenders import Answer  # noqa: E402
from peers import resized  # noqa: E402
from report.ranking import ndcg_at  # noqa: E402


def answered(ranking: list[str], prefill: float, decode: float) -> Answer:
    return Answer(ranking, prefill, decode, prefill + decode, 1, 0)


MEASURED = [
    {
        "request": {"id": "q", "prompt": {"tokens": [1, 2, 3]}, "relevance": {"b": 1}},
        "answers": {"ar": answered(["a", "b", "c"], 100, 60), "rsd T=2": answered(["b", "a", "c"], 100, 20)},
    }
]


class GeneratedLists(unittest.TestCase):
    def test_a_list_keeps_its_order_and_counts_nothing_to_repair(self):
        self.assertEqual(worker.repaired("[3] > [1] > [2]", 3), ([2, 0, 1], 0))

    def test_numbers_named_twice_or_out_of_range_are_dropped_and_what_lacks_follows_in_input_order(self):
        self.assertEqual(worker.repaired("[2] > [2] > [9] > [4]", 4), ([1, 3, 0, 2], 2))

    def test_the_grammar_fixes_the_number_of_places(self):
        grammar = worker.list_grammar(3)
        self.assertIn('(" > " item){2}', grammar)
        self.assertIn('number ::= "1" | "2" | "3"', grammar)

    def test_a_history_is_asked_for_by_its_titles(self):
        self.assertIn("search query: Alien; Heat.", worker.list_prompt({"history": ["Alien", "Heat"], "candidates": [{"text": "Ran"}]}))


class Tables(unittest.TestCase):
    def test_ratios_are_over_rsd_with_two_encodings(self):
        self.assertEqual(tables.ratios("x", MEASURED).rows, [["ar", "1.33", "1.33", "1.33", "3.00", "3.00", "3.00"]])

    def test_agreement_is_with_ar(self):
        self.assertAlmostEqual(tables.kt_to_target(MEASURED, "rsd T=2"), 1 / 3)
        self.assertEqual(tables.kt_to_target(MEASURED, "ar"), 1)

    def test_requests_without_labels_have_no_ndcg(self):
        self.assertIsNone(ndcg_at(10, ["a"], {}))
        self.assertEqual(ndcg_at(10, ["a", "b"], {"a": 2, "b": 0}), 1)
        self.assertAlmostEqual(ndcg_at(10, ["a", "b"], {"b": 1}), 0.6309, places=4)

    def test_percentiles_are_nearest_ranks(self):
        self.assertEqual(tables.percentile([3, 1, 2], 0.5), 2)
        self.assertEqual(tables.percentile([3, 1, 2], 0.95), 3)


class Requests(unittest.TestCase):
    def test_sizes_are_cut_from_one_request(self):
        request = {"id": "q", "candidates": [{"id": "a", "text": "one two three"}, {"id": "b", "text": "four"}]}
        self.assertEqual(resized(request, 1, 2), {"id": "q-1-2", "candidates": [{"id": "a", "text": "one two"}]})


if __name__ == "__main__":
    unittest.main()
