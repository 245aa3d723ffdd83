"""The arithmetic of the comparison, and what a generated list is taken for. No peer is needed."""

from __future__ import annotations

import statistics
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import block_tables  # noqa: E402
import blocks  # noqa: E402
import lists  # noqa: E402
import tables  # noqa: E402
import worker  # noqa: E402
from block_tables import COLD, KEPT, SEQUENCE, SEQUENCE_AR, WARM, WARM_AR, WINDOWS, Goal, Result  # noqa: E402
from contenders import Answer  # noqa: E402
from lists import resized  # noqa: E402
from report.ranking import ndcg_at, reciprocal_rank  # noqa: E402


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


def listed(name: str, texts: list[str]) -> dict:
    return {"id": name, "query": f"about {name}", "relevance": {}, "candidates": [{"id": f"{name}{n}", "text": t} for n, t in enumerate(texts)]}


def counted(requests: list[dict]) -> list[list[int]]:
    """Three tokens a word, and one for the dash."""
    return [[1 + 3 * len(c["text"].split()) for c in r["candidates"]] for r in requests]


class Sizes(unittest.TestCase):
    def test_long_texts_are_cut_and_short_ones_go_on_with_others_to_the_same_number_of_tokens(self):
        request = listed("q", ["one two three four five six seven eight nine ten eleven twelve", "short"])
        made = lists.of_tokens([request], 16, ["a b", "c d e f g h i j k l m n o p"], counted)
        self.assertEqual(counted(made), [[16, 16]])
        self.assertTrue(made[0]["candidates"][0]["text"].startswith("one two three"))
        self.assertEqual(made[0]["candidates"][1]["text"], "short a b c d")

    def test_a_merged_list_has_the_first_requests_query_and_no_candidate_twice(self):
        made = lists.merged([listed("q", ["a", "b"]), listed("q", ["a"]), listed("r", ["c", "d"])], 3)
        self.assertEqual(made["query"], "about q")
        self.assertEqual(sorted(c["id"] for c in made["candidates"]), ["q0", "q1", "r0"])

    def test_a_shuffled_request_has_the_same_candidates_in_another_order(self):
        request = listed("q", [str(n) for n in range(20)])
        again = lists.shuffled(request)["candidates"]
        self.assertNotEqual(again, request["candidates"])
        self.assertEqual(sorted(c["id"] for c in again), sorted(c["id"] for c in request["candidates"]))


class Primers(unittest.TestCase):
    REQUESTS = [listed(name, [f"{name} {n}" for n in range(8)]) for name in ("q", "r", "s")]
    QUERIES = [listed("t", []), listed("u", [])]

    def texts(self, share: float) -> list[list[str]]:
        return [[c["text"] for c in p["candidates"]] for p in lists.primers(self.REQUESTS, share, self.QUERIES)]

    def test_they_hold_all_candidates_or_half_of_each_request(self):
        for share, each in ((1.0, 8), (0.5, 4)):
            seen = {text for members in self.texts(share) for text in members}
            self.assertEqual([sum(text.startswith(name) for text in seen) for name in "qrs"], [each] * 3)

    def test_candidates_become_known_in_other_company(self):
        for members in self.texts(1.0)[:-1]:
            self.assertEqual(len({text[0] for text in members}), 3)
            self.assertLessEqual(len(members), 4)

    def test_the_last_one_is_as_long_as_a_request_and_holds_nothing_new(self):
        *before, last = self.texts(1.0)
        self.assertEqual(len(last), 8)
        self.assertLessEqual(set(last), {text for members in before for text in members})

    def test_a_single_request_is_not_primed_by_its_whole_list(self):
        made = lists.primers(self.REQUESTS[:1], 1.0, self.QUERIES)
        self.assertEqual([len(p["candidates"]) for p in made], [4, 4, 8])

    def test_their_queries_are_not_those_of_the_requests(self):
        asked = {p["query"] for p in lists.primers(self.REQUESTS, 1.0, self.QUERIES)}
        self.assertEqual(asked, {"about t", "about u"})


class Counted(worker.Embeddings):
    """Without a model: a text's vector is the text."""

    def __init__(self):
        self.encoded: list[str] = []

    def encode(self, texts):
        self.encoded += texts
        return list(texts)


class CountedKept(worker.KeptEmbeddings, Counted):
    def __init__(self):
        Counted.__init__(self)
        self.kept = {}


class KeptDocuments(unittest.TestCase):
    def test_known_texts_are_not_encoded_again_but_the_query_is(self):
        kept = CountedKept()
        kept.vectors(["query"], ["a", "b", "a"])
        self.assertEqual(kept.vectors(["query"], ["b", "c"]), (["query"], ["b", "c"]))
        self.assertEqual(kept.encoded, ["query", "a", "b", "query", "c"])

    def test_without_keeping_all_are_encoded_every_time(self):
        plain = Counted()
        plain.vectors(["query"], ["a"])
        self.assertEqual(plain.vectors(["query"], ["a"]), (["query"], ["a"]))
        self.assertEqual(plain.encoded, ["query", "a"] * 2)


def timed(ranking: list[str], ms: float, decode: float, tokens: int = 10, windows: int = 0) -> Answer:
    times = {"prefill": ms - decode - 1, "decode": decode, "agent": 0.5, "total": ms - 0.4}
    return Answer(ranking, ms - decode, decode, ms, 2, 0, tokens, times, windows)


def result_of(names: list[str], requests: int = 2) -> Result:
    candidates = [{"id": text, "text": text} for text in "abc"]
    measured = []
    for n in range(requests):
        answers = {name: timed(["a", "b", "c"], 100 + 10 * k + n, 20 + k, 10 + k) for k, name in enumerate(names)}
        again = {name: ["a", "b", "c"] for name in names if name in (SEQUENCE_AR, WARM_AR)}
        measured.append({"request": {"id": str(n), "candidates": candidates, "relevance": {"b": 1}}, "answers": answers, "again": again})
    return Result(3, 100, [99, 101], measured, {name: 1000.0 for name in names})


class BlockCases(unittest.TestCase):
    def test_one_sequence_and_windows_are_left_out_where_they_take_minutes(self):
        self.assertIn(SEQUENCE, blocks.passages(100, 100, 1).contenders(False))
        self.assertNotIn(SEQUENCE, blocks.passages(100, 200, 1).contenders(False))
        self.assertIn(WINDOWS, blocks.passages(100, 100, 1).contenders(False))
        self.assertNotIn(WINDOWS, blocks.passages(400, 100, 1).contenders(False))
        self.assertNotIn(WINDOWS, blocks.passages(20, 100, 1).contenders(False))

    def test_lists_of_400_are_merged_of_requests_of_the_longest_file(self):
        self.assertEqual(blocks.passages(400, 30, 1).file, blocks.LONG)

    def test_a_full_run_and_a_quick_one_measure_every_goal(self):
        for cases in (blocks.FULL, blocks.QUICK):
            results = {case.name: result_of(case.contenders(False)) for case in cases}
            self.assertNotIn("not measured", [row[-1] for row in block_tables.goals(results).rows])

    def test_windows_where_one_prompt_was_meant_are_an_error_and_the_reverse(self):
        blocks.check_whole({WARM: timed(["a"], 9, 1), WINDOWS: timed(["a"], 9, 1, windows=9), KEPT: answered(["a"], 1, 0)})
        with self.assertRaisesRegex(RuntimeError, "rsd, one sequence ranked in 9 windows"):
            blocks.check_whole({SEQUENCE: timed(["a"], 9, 1, windows=9)})
        with self.assertRaisesRegex(RuntimeError, "in 0 windows"):
            blocks.check_whole({WINDOWS: timed(["a"], 9, 1)})

    def test_block_sizes_follow_the_request_and_a_prompt_in_one_sequence_is_refused(self):
        rendered = {"blocks": [{"kind": "head", "tokens": 9}, *({"kind": k, "candidate": c, "tokens": t} for k, c, t in (("candidate", "q1", 5), ("candidate", "q0", 3), ("identifier", "q0", 2)))]}
        self.assertEqual(blocks.block_sizes(rendered, listed("q", ["x", "y"])), [3, 5])
        with self.assertRaisesRegex(SystemExit, "not tuned for prompts in blocks"):
            blocks.block_sizes({"tokens": []}, listed("q", ["x"]))


class BlockTables(unittest.TestCase):
    def test_ratios_are_of_each_requests_own_times(self):
        result = result_of([SEQUENCE, WARM])
        self.assertEqual(block_tables.over(WARM, SEQUENCE)(result), [110 / 100, 111 / 101])
        self.assertEqual(block_tables.over(WARM, SEQUENCE, block_tables.tokens)(result), [1.1, 1.1])

    def test_goals_are_met_at_the_limit_on_their_side_of_it(self):
        least, most = (Goal("", "", lambda r: [], 0.5, at_least) for at_least in (True, False))
        self.assertEqual([least.is_met(0.5), least.is_met(0.49), most.is_met(0.5), most.is_met(0.51)], [True, False, True, False])

    def test_a_goal_whose_case_or_contender_was_left_out_is_not_measured(self):
        rows = block_tables.goals({"games": result_of([WARM])}).rows
        self.assertIn(["warm, K = 20 titles of games, over one sequence", "–", "–", "0", "≤ 0.35", "not measured"], rows)
        self.assertEqual(len(rows), len(block_tables.GOALS))

    def test_order_consistency_is_the_agreement_with_the_shuffled_requests_ranking(self):
        result = result_of([WARM_AR], 1)
        result.measured[0]["again"][WARM_AR] = ["b", "a", "c"]
        self.assertAlmostEqual(block_tables.consistencies(WARM_AR)(result)[0], 1 / 3)

    def test_candidates_with_equal_texts_may_change_places_in_a_consistent_order(self):
        result = result_of([WARM_AR], 1)
        result.measured[0]["request"]["candidates"] = [{"id": "a", "text": "x"}, {"id": "b", "text": "x"}, {"id": "c", "text": "y"}]
        result.measured[0]["again"][WARM_AR] = ["b", "a", "c"]
        self.assertEqual(block_tables.consistencies(WARM_AR)(result), [1])

    def test_agreement_is_with_the_ar_of_the_same_layout(self):
        result = result_of([SEQUENCE, SEQUENCE_AR, WARM, WARM_AR], 1)
        result.measured[0]["answers"][SEQUENCE_AR] = timed(["c", "b", "a"], 9, 1)
        self.assertEqual([block_tables.quality(result, name)[0] for name in (SEQUENCE, WARM)], ["-1.000", "1.000"])

    def test_the_parts_of_a_request_add_up_to_its_total(self):
        row = block_tables.breakdown("x", result_of([COLD], 1)).rows[0]
        self.assertEqual(row, [COLD, "100.0", "79.0", "20.0", "0.5", "0.1", "0.4"])

    def test_the_limits_are_the_best_prefill_rate_and_the_copying_of_the_kept_tokens(self):
        result = result_of([SEQUENCE, WARM])
        row = block_tables.limits({"x": result}, 1_000_000, 10e6).rows[0]
        # 79 ms of prefill for 10 tokens; texts of 200 tokens for two requests; totals of 110 and 111 ms.
        self.assertEqual(row, ["x", "11", "86.9", "100.0", "10.0", "110.5", "1.14"])

    def test_intervals_hold_the_median_and_shrink_to_the_only_value(self):
        self.assertEqual(block_tables.interval([2.0], statistics.median), (2.0, 2.0))
        low, high = block_tables.interval([1.0, 2.0, 3.0, 4.0, 100.0], statistics.median)
        self.assertTrue(1 <= low < 3 < high <= 100)

    def test_the_reciprocal_rank_is_that_of_the_first_relevant_item(self):
        self.assertEqual(reciprocal_rank(["a", "b", "c"], {"c": 1, "b": 2, "a": 0}), 0.5)
        self.assertEqual(reciprocal_rank(["a"], {"b": 1}), 0)
        self.assertIsNone(reciprocal_rank(["a"], {"a": 0}))

    def test_sizes_with_other_contenders_stand_in_one_table(self):
        results = {"passages-20x10": result_of([SEQUENCE, COLD, WARM]), "passages-20x200": result_of([COLD, WARM, KEPT])}
        results["passages-20x200"].tokens = 200
        table = block_tables.grid(results)[0]
        self.assertEqual(table.head, ["", "100", "200"])
        self.assertEqual([row[0] for row in table.rows], [SEQUENCE, COLD, WARM, KEPT])
        self.assertEqual([table.rows[0][2], table.rows[3][1]], ["–", "–"])


if __name__ == "__main__":
    unittest.main()
