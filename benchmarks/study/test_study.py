"""The study's arithmetic, by values that can be worked out by hand. Usage: python3 test_study.py"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import exhibits  # noqa: E402
import figures  # noqa: E402
import runs  # noqa: E402
from report import page  # noqa: E402


def measured(kt: list[float], kd: list[float] | None = None) -> figures.Measured:
    kd = kd or [(1 - value) / 2 for value in kt]
    return figures.Measured({"kt": kt, "sr": kt, "fd": kd, "kd": kd, "encodings": [2.0] * len(kt)})


class Agreement(unittest.TestCase):
    def test_one_swap_of_neighbours(self):
        found = figures.agreement([1, 0, 2, 3], [0, 1, 2, 3])
        self.assertAlmostEqual(found["kd"], 1 / 6)
        self.assertAlmostEqual(found["kt"], 1 - 2 / 6)
        self.assertAlmostEqual(found["sr"], 1 - 6 * 2 / 60)
        self.assertAlmostEqual(found["fd"], 2 / 8)

    def test_the_same_and_the_reverse(self):
        self.assertEqual(figures.agreement([2, 0, 1], [2, 0, 1]), {"kt": 1, "sr": 1, "fd": 0, "kd": 0})
        self.assertEqual(figures.agreement([1, 0, 2], [2, 0, 1]), {"kt": -1, "sr": -1, "fd": 1, "kd": 1})

    def test_a_single_item_agrees(self):
        self.assertEqual(figures.agreement([0], [0])["kt"], 1)


class Ceilings(unittest.TestCase):
    def lines(self, gains: list[float]) -> list[dict]:
        return [{"id": str(n), "k": 20, "budgets": {"3": {"greedy": 0.9, "best": 0.9 + gain, "best_by_round": [0.9 + gain, 0.8],
                 "mean_by_round": [0.7, 0.5]}}} for n, gain in enumerate(gains)]  # fmt: skip

    def test_a_row_has_gains_by_round_and_an_oracles(self):
        row = exhibits.ceiling_row("quora", self.lines([0.02, 0.04]), "3")
        self.assertEqual(row[:3], ["quora-test, 2", "20", "3"])
        self.assertEqual(row[4], "0.930")
        self.assertTrue(row[5].startswith("0.0300 <small>0.0200 – 0.0400"), row[5])
        self.assertEqual(row[6:10], ["0.0300, 0.0000", "0.600", "0.100", ""])

    def test_a_row_says_where_there_is_nothing_to_win(self):
        self.assertEqual(exhibits.ceiling_row("quora", self.lines([0.002, 0.003]), "3")[-1], "nothing to win")

    def test_requests_are_cut_shuffled_and_lose_their_judgements(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "in.jsonl"), Path(folder, "out.jsonl")
            candidates = [{"id": str(n), "text": f"t{n}"} for n in range(10)]
            request = {"id": "é", "query": "q", "candidates": candidates, "relevance": {"1": 1}}
            source.write_text((json.dumps(request) + "\n") * 3, encoding="utf-8")
            runs.write_shuffled(source, target, 2, 6)
            first = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
            self.assertEqual(len(first), 2)
            self.assertEqual(set(first[0]), {"id", "query", "candidates"})
            self.assertEqual(sorted(c["id"] for c in first[0]["candidates"]), ["0", "1", "2", "3", "4", "5"])
            self.assertNotEqual(first[0]["candidates"], candidates[:6])
            runs.write_shuffled(source, target, 2, 6)
            self.assertEqual(first, [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()])

    def test_a_line_that_was_not_finished_is_not_counted(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "lines.jsonl")
            self.assertEqual(runs.whole_lines(path), [])
            path.write_text('{"a": 1}\n{"b"', encoding="utf-8")
            self.assertEqual(runs.whole_lines(path), ['{"a": 1}'])


class Variances(unittest.TestCase):
    def line(self, none: float, group: float, reference: float, signal: float = 1.0) -> dict:
        values = {"none": none, "group": group, "reference": reference}
        return {"id": "a", "k": 20, "estimates": [
            {"sampled": sampled, "return": "spearman", "advantage": advantage, "scale": "none", "variance": factor * value, "squared_mean": signal}
            for sampled, factor in (("all", 1), ("one", 2)) for advantage, value in values.items()
        ]}  # fmt: skip

    def test_a_row_has_the_ratios_of_sums(self):
        rows = exhibits.variance_rows([self.line(8, 2, 1), self.line(8, 2, 3)], 2)
        self.assertEqual([row[:3] for row in rows], [["all", "spearman", "2"], ["one", "spearman", "4"]])
        self.assertTrue(rows[0][3].startswith("0.25 <small>0.125 – 0.375"), rows[0][3])
        self.assertTrue(rows[0][4].startswith("1 <small>0.5 – 1.5"), rows[0][4])
        self.assertTrue(rows[0][5].startswith("0.25 <small>"), rows[0][5])
        self.assertEqual([rows[0][6], rows[1][6]], ["2.0, 2.0", "4.0, 4.0"])

    def test_an_expected_gradient_that_is_not_seen_has_no_number_of_batches(self):
        rows = exhibits.variance_rows([self.line(8, 2, 1, 0.5), self.line(8, 2, 1, -0.1)], 6)
        self.assertEqual(rows[0][6], "–, –")

    def test_advantages_that_were_not_measured_are_left_out(self):
        line = self.line(8, 2, 1)
        for estimate in line["estimates"]:
            estimate["scale"] = "deviation"
        line["estimates"] = [e for e in line["estimates"] if e["advantage"] != "none"]
        row = exhibits.variance_rows([line], 6)[0]
        self.assertEqual(row[1], "spearman, by deviation")
        self.assertEqual(row[3], "–")
        self.assertTrue(row[4].startswith("0.5 "), row[4])

    def test_a_measurement_goes_on_where_it_stopped(self):
        with tempfile.TemporaryDirectory() as folder:
            data, out = Path(folder, "data"), Path(folder, "out")
            data.mkdir()
            program = Path(folder, "build/benchmarks/variance")
            program.parent.mkdir(parents=True)
            program.write_text('#!/bin/sh\necho "$@" > "$0.arguments"\necho \'{"n": 1}\'\necho \'{"n": 2}\'\n')
            program.chmod(0o755)
            request = {"id": "a", "query": "q", "candidates": [{"id": "1", "text": "t"}]}
            (data / "quora-test.jsonl").write_text((json.dumps(request) + "\n") * 5)
            sizes = {**dict.fromkeys(runs.SIZE, 1), "traces": None, "data": data, "out": out}
            study = runs.Runs(argparse.Namespace(
                rsd=Path(folder, "build/rsd"), threads=1, variance_requests=3, variance_rollouts=6, batches=4, **sizes))  # fmt: skip
            (out / "ceilings").mkdir()
            agent, other = Path(folder, "agent"), Path(folder, "other")
            agent.write_text("an agent")
            other.write_text("another one")
            kept = out / "ceilings" / f"{runs.file_name('variance-quora-3-4-6-tiny', agent)}.jsonl"
            kept.write_text('{"n": 0}\n{"n": 1, "cut')
            self.assertNotIn("/", runs.file_name("a/model", agent))
            self.assertEqual(len(study.variances("quora", other, "tiny")), 2)  # nothing is kept of it
            self.assertEqual([line["n"] for line in study.variances("quora", agent, "tiny")], [0, 1, 2])
            given = Path(f"{program}.arguments").read_text()
            for part in ("--batches 4", "--rollouts 6", "--skip 1", "--model tiny", "--threads 1", f"--agent {agent}"):
                self.assertIn(part, given)
            self.assertIn("variance --requests", (out / "commands.txt").read_text())


class Records(unittest.TestCase):
    def test_figures_are_read_by_setting_and_the_header_is_none(self):
        def setting(name, ranking):
            timing = {"prefill": 1, "decode": 2, "agent": 3, "total": 6}
            return {"setting": name, "ranking": ranking, "encodings": 2, "timing_ms": timing}

        lines = [
            {"rsd_records": 1, "conditions": {}},
            {"id": "a", "settings": [setting("ar", [1, 0]), setting("std", [0, 1])]},
            {"id": "b", "settings": [setting("ar", [0, 1]), setting("std", [0, 1])]},
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "records.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
            found = figures.read_records(path)
        self.assertEqual(found["std"].figures["kt"], [-1, 1])
        self.assertEqual(found["std"].mean("agent_ms"), 3)
        self.assertEqual(found["ar"].mean("kd"), 0)


class Statistics(unittest.TestCase):
    def test_gain_is_towards_the_better_side(self):
        self.assertAlmostEqual(figures.gain(0.9, 0.6, "kt"), 0.5)
        self.assertAlmostEqual(figures.gain(0.1, 0.4, "fd"), 0.75)
        self.assertIsNone(figures.gain(0.1, 0.0, "fd"))
        self.assertIsNone(figures.gain(0.1, -0.2, "kt"))

    def test_the_interval_holds_the_mean_and_is_the_same_each_time(self):
        values = [0.0] * 50 + [1.0] * 50
        low, high = figures.interval(values)
        self.assertEqual((low, high), figures.interval(values))
        self.assertTrue(0.35 < low < 0.45 and 0.55 < high < 0.65, (low, high))
        self.assertEqual(figures.interval([0.5] * 9), (0.5, 0.5))

    def test_the_baseline_is_the_better_one_of_std_and_sd(self):
        settings = {
            "std": measured([0.5, 0.5]),
            "sd T=2": measured([0.6, 0.4], [0.1, 0.1]),
            "rsd agent T=2": measured([0.75, 0.75], [0.05, 0.05]),
        }
        gains = exhibits.mean_gain(settings, 2)
        self.assertAlmostEqual(gains["kt"], 0.5)
        self.assertAlmostEqual(gains["kd"], 0.5)

    def test_the_overall_gain_has_an_interval_that_holds_it(self):
        chance = random.Random(1)
        base = [chance.uniform(0.3, 0.7) for _ in range(40)]
        settings = {
            "std": measured(base),
            "sd T=2": measured(base),
            "rsd agent T=2": measured([value + chance.uniform(0.1, 0.2) for value in base]),
        }
        both = {"quora": settings, "games": settings}
        whole = exhibits.overall_gain(both, ("quora", "games"), [2])
        low, high = exhibits.gain_interval(both, ("quora", "games"), [2])
        self.assertTrue(0.1 < low < whole < high < 0.6, (low, whole, high))

    def test_what_is_removed_of_a_distance(self):
        self.assertTrue(exhibits.removed([[0.1, 0.1], [0.2, 0.2]]).startswith("+50.0 %"))
        self.assertTrue(exhibits.removed([[0.1, 0.1], [0.0, 0.0]]).startswith("+0.0 %"))

    def test_budgets_of_a_request_are_one_value_and_data_sets_weigh_alike(self):
        once = {"a": [0.1, 0.3], "b": [0.5]}
        settings = {d: {f"rsd p T={t}": measured(once["a"] if d == "quora" else once["b"]) for t in exhibits.VARIANT_BUDGETS} for d in exhibits.DATASETS}
        self.assertEqual(exhibits.kt_by_request(settings, "p"), [[0.1, 0.3], [0.5], [0.5], [0.5]])
        self.assertEqual(exhibits.differences(settings, "p", "p"), [[0, 0], [0], [0], [0]])
        low, high = figures.stratified_interval([[0.1, 0.3] * 50, [0.5]])
        self.assertTrue(0.3 < low < 0.35 < high < 0.4, (low, high))

    def test_a_study_does_not_go_on_with_other_options(self):
        with tempfile.TemporaryDirectory() as folder:
            options = argparse.Namespace(out=Path(folder), **{**dict.fromkeys(runs.SIZE, 1), "traces": None})
            runs.Runs(options)
            runs.Runs(options)
            options.rpo_steps = 2
            with self.assertRaisesRegex(SystemExit, "begun with --rpo-steps 1, not 2"):
                runs.Runs(options)

    def test_agents_are_made_after_those_they_start_from_and_only_once(self):
        with tempfile.TemporaryDirectory() as folder:
            study = Noted(Path(folder))
            made = study.made
            agents = [*exhibits.transfer_agents(study, 1).values(), study.rpo(1, "--no-history", name="no-history")]
            study.train(agents)
            self.assertEqual(set(made[:4]), {f"supervised-{dataset}" for dataset in runs.DATASETS})
            self.assertEqual(set(made[4:6]), {"supervised-s1", "supervised--no-history-s1"})
            self.assertEqual(set(made[6:]), {agent.name for agent in agents})
            study.train(agents)
        self.assertEqual(len(made), 12)

    def test_traces_that_are_there_are_learned_from_and_none_collected(self):
        with tempfile.TemporaryDirectory() as folder:
            traces = Path(folder) / "traces"
            traces.mkdir()
            with self.assertRaisesRegex(SystemExit, "no traces quora-"):
                Noted(Path(folder), traces=traces)
            for name in ("quora-a.jsonl", "quora-b.jsonl", "msmarco-dl-bm25-a.jsonl", "games-a.jsonl", "ml1m-a.jsonl"):
                (traces / name).write_text("")
            study = Noted(Path(folder), traces=traces)
            study.train([study.rpo(1, init=study.collector("quora"))])
            self.assertEqual(study.made, ["supervised-quora", "rpo-s1"])
            learned = study.commands[0]
            given = [Path(file).name for option, file in zip(learned, learned[1:], strict=False) if option == "--traces"]
            self.assertEqual(given, ["quora-a.jsonl", "quora-b.jsonl"])
            self.assertNotIn("--requests", learned)

    def test_curves_are_means_over_seeds_with_their_range(self):
        points, ranges = exhibits.over_seeds([[(1, 0.0), (2, 1.0)], [(1, 1.0), (2, 2.0)]])
        self.assertEqual(points, [(1, 0.5), (2, 1.5)])
        self.assertEqual(ranges, [(0.0, 1.0), (1.0, 2.0)])


class Noted(runs.Runs):
    """Notes what it would run."""

    def __init__(self, folder: Path, traces: Path | None = None):
        self.made: list[str] = []
        self.commands: list[tuple] = []
        sizes = {**dict.fromkeys(runs.SIZE, 1), "data": Path("data"), "traces": traces, "model": None}
        super().__init__(argparse.Namespace(out=folder, jobs=2, threads=1, cache_ram=1, **sizes))

    def rsd(self, *arguments):
        out = Path(arguments[arguments.index("--out") + 1])
        if "--init" in arguments:
            assert Path(arguments[arguments.index("--init") + 1]).exists()
        out.write_text("")
        self.made.append(out.stem)
        self.commands.append(arguments)


class Page(unittest.TestCase):
    def test_it_is_whole_and_texts_are_escaped(self):
        table = page.Table("a < b", ["x"], [["1"]])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.html"
            page.write(path, "T & U", ["fact"], [page.section_html(page.Section("S", "text", [table]))])
            text = path.read_text(encoding="utf-8")
            self.assertEqual([p.name for p in Path(folder).iterdir()], ["report.html"])
        for part in ("T &amp; U", "a &lt; b", "<td>1</td>", "</html>"):
            self.assertIn(part, text)

    def test_a_plot_has_its_curves_and_their_names(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is missing")
        curves = [page.Curve("it's one", [(1, 2), (2, 3)], [(1, 3), (2, 4)]), page.Curve("two_", [(1, 1), (2, 1)])]
        drawn = page.Plot("a_title", "x", "y", curves, "a < b").html()
        for part in ("<svg", "it's one", "two_", "a_title", "a &lt; b"):
            self.assertIn(part, drawn)

    def test_what_can_not_be_plotted_is_said(self):
        plot = page.Plot("t", "x", "y", [page.Curve("c", [])])
        self.assertIn("No plot: gnuplot", plot.html())


if __name__ == "__main__":
    unittest.main()
