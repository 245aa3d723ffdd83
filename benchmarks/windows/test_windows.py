"""The arithmetic of the comparison of window methods."""

from __future__ import annotations

import argparse
import json
import tempfile
import unittest
from pathlib import Path

import pivots
import pooled
import windows


def request(name: str, n: int) -> dict:
    return {"id": name, "query": name, "candidates": [{"id": f"{name}-{i}", "text": "t"} for i in range(n)], "relevance": {f"{name}-0": 1}}


class Pooled(unittest.TestCase):
    def test_lists_hold_their_own_candidates_and_others_once(self):
        pool, lists, relevant = pooled.pooled_lists([request(name, 5) for name in "abcdef"], 2, 12, 20)
        self.assertEqual(len(pool), 20)
        for one in lists:
            ids = [c["id"] for c in one["candidates"]]
            self.assertEqual((len(ids), len(set(ids))), (12, 12))
            self.assertLessEqual({f"{one['id']}-{n}" for n in range(5)}, set(ids))
            self.assertLessEqual(set(ids), set(pool))
            self.assertNotIn("relevance", one)
            self.assertEqual(relevant[one["id"]], {f"{one['id']}-0"})

    def test_figures_are_of_the_first_relevant_one_and_of_all(self):
        ranking = [str(n) for n in range(30)]
        self.assertEqual(pooled.figures(ranking, {"0"}), (1, 1, 1))
        mrr, ndcg, found = pooled.figures(ranking, {"1", "25"})
        self.assertEqual((mrr, found), (0.5, 0.5))
        self.assertAlmostEqual(ndcg, 0.6309 / 1.6309, places=4)


class Lists(unittest.TestCase):
    def lists(self, requests: list[dict], limit: int, pooled: int | None) -> list[dict]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "requests.jsonl"
            path.write_text("".join(json.dumps(r) + "\n" for r in requests), encoding="utf-8")
            return windows.lists_of(argparse.Namespace(requests=path, limit=limit, pooled=pooled))

    def test_pooled_lists_begin_with_their_own_and_hold_nothing_twice(self):
        requests = [request(name, 5) for name in "abcd"]
        lists = self.lists(requests, 2, 12)
        self.assertEqual([r["id"] for r in lists], ["a", "b"])
        for asked, whole in zip(requests, lists):
            ids = [c["id"] for c in whole["candidates"]]
            self.assertEqual(ids[:5], [c["id"] for c in asked["candidates"]])
            self.assertEqual(len(set(ids)), 12)
        self.assertEqual(lists, self.lists(requests, 2, 12), "drawn once and for all")

    def test_what_another_list_judges_relevant_here_is_no_distractor(self):
        one, other = request("a", 2), request("b", 3)
        one["relevance"]["b-1"] = 1
        ids = [c["id"] for c in self.lists([one, other], 1, 4)[0]["candidates"]]
        self.assertNotIn("b-1", ids)

    def test_too_few_distractors_are_told(self):
        with self.assertRaisesRegex(SystemExit, "only 5 other candidates"):
            self.lists([request("a", 5), request("b", 5)], 1, 100)


class Figures(unittest.TestCase):
    def test_the_first_ten_are_compared_with_all_that_came_into_them(self):
        target = list("abcdefghijklmnop")
        self.assertEqual(windows.top_agreement(target, target), 1.0)
        late = list("bcdefghijka") + list("lmnop")  # a fell out of the first ten, k came in
        self.assertAlmostEqual(windows.top_agreement(late, target), 1 - 2 * 10 / 55)

    def test_figures_are_by_list_and_agreement_is_with_the_same_methods_ar(self):
        answers = [{"id": "a", "ranking": ["x", "y"], "encodings": 3, "tokens_encoded": 40, "verified_prefix": 1, "timing_ms": {"total": 500}}]
        target = [{**answers[0], "ranking": ["y", "x"]}]
        measures = windows.figures(answers, target, {"a": {"relevance": {"y": 1}}})
        self.assertEqual(measures["kt"], [-1.0])
        self.assertEqual((measures["windows"], measures["s"]), ([1], [0.5]))
        self.assertAlmostEqual(measures["ndcg@10"][0], 0.6309, 4)

    def test_differences_are_list_by_list_whatever_order_the_answers_come_in(self):
        def answer(name: str, ranking: str) -> dict:
            return {"id": name, "ranking": list(ranking), "encodings": 1, "tokens_encoded": 1, "verified_prefix": 1, "timing_ms": {"total": 1}}

        requests = {name: {"relevance": {"x": 1}} for name in "ab"} | {"none": {"relevance": {}}}
        one = [answer("b", "xy"), answer("a", "yx"), answer("none", "xy")]
        target = [answer("a", "xy"), answer("none", "yx"), answer("b", "xy")]
        measures = windows.figures(one, target, requests)
        self.assertEqual([round(value, 4) for value in measures["ndcg@10 less ar's"]], [-0.3691, 0.0])
        self.assertEqual(windows.difference([0.1, 0.1]), "+0.100 (+0.100 to +0.100)")


class Kept(unittest.TestCase):
    def test_answers_of_another_command_are_not_taken(self):
        with tempfile.TemporaryDirectory() as folder:
            options = argparse.Namespace(out=Path(folder), rsd="true", window=20, pool=None, model=None, threads=1, rank_options=[])
            setting = windows.Setting("top-down, pool", "rsd")
            (options.out / setting.file).write_text("{}\n", encoding="utf-8")
            (options.out / setting.file).with_suffix(".command").write_text(
                " ".join(windows.command_of(options, setting, Path("r"))), encoding="utf-8"
            )
            self.assertEqual(windows.rank(options, setting, Path("r")), [{}])
            options.pool = 15
            with self.assertRaisesRegex(SystemExit, "was made by another command"):
                windows.rank(options, setting, Path("r"))


class Pivots(unittest.TestCase):
    def test_a_querys_requests_are_joined_in_turn_and_hold_nothing_twice(self):
        one, other = request("q-s0", 3), request("q-s1", 3)
        other["candidates"][2] = one["candidates"][2]
        whole = pivots.join([one, other])
        self.assertEqual(whole["id"], "q")
        self.assertEqual([c["id"] for c in whole["candidates"]], ["q-s0-0", "q-s1-0", "q-s0-1", "q-s1-1", "q-s0-2"])
        self.assertEqual(pivots.relevant(whole), 2)

    def test_every_candidate_is_in_one_window(self):
        for deal in (pivots.dealt, pivots.neighbours):
            groups = deal(list(range(80)), 5)
            self.assertEqual([len(group) for group in groups], [16] * 5)
            self.assertEqual(sorted(sum(groups, [])), list(range(80)))
        self.assertEqual(pivots.dealt(list(range(5)), 2), [[0, 2, 4], [1, 3]])

    def test_windows_are_compared_by_the_pivot(self):
        first, other = {"a": 3.0, "p": 2.0, "b": 1.0}, {"p": 9.0, "c": 10.5, "d": 9.5}
        self.assertEqual(pivots.order(first, [other], "p", pivots.less_pivot), ["c", "a", "d", "p", "b"])
        self.assertEqual(pivots.order(first, [other], "p", pivots.SCORES["logit"])[:2], ["c", "d"])


if __name__ == "__main__":
    unittest.main()
