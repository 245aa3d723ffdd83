#!/usr/bin/env python3
"""Tests of tools/mutants.py: which mutants it makes, and what it finds out about a small module."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "mutants.py"
sys.path.insert(0, str(TOOL.parent))

import mutants  # noqa: E402
import mutations  # noqa: E402

SOURCE = """#include "toy.h"
// if (a < b) is not code.
int larger(int a, int b) {
  if (a < b) return b;
  return a;
}

int count(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i)
    sum += 2;
  return sum;
}

int unseen(int a) {
  return a + 1;
}
"""

# Prints what GoogleTest does.
TESTS = """#include "toy.h"
#include <cstdio>
int main() {
  std::puts("[ RUN      ] Toy.Larger");
  if (larger(1, 2) != 2 || larger(2, 1) != 2) { std::puts("[  FAILED  ] Toy.Larger (0 ms)"); return 1; }
  std::puts("[ RUN      ] Toy.Count");
  std::fflush(stdout);
  if (count(3) != 6) { std::puts("[  FAILED  ] Toy.Count (0 ms)"); return 1; }
  return 0;
}
"""

CMAKE = """cmake_minimum_required(VERSION 3.25)
project(toy CXX)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_library(rsd_toy STATIC src/toy/toy.cpp)
add_executable(rsd_toy_test src/toy/toy_test.cpp)
target_link_libraries(rsd_toy_test PRIVATE rsd_toy)
"""

FILES = {"src/toy/toy.cpp": SOURCE, "src/toy/toy_test.cpp": TESTS, "CMakeLists.txt": CMAKE,
         "src/toy/toy.h": "int larger(int a, int b);\nint count(int n);\nint unseen(int a);\n",
         ".gitignore": "/build/\n"}


def made(code, operator=None):
    """{what the code becomes} by the mutants of an operator, or of all."""
    return {one.applied_to(code) for one in mutations.mutants_of("a.cpp", code)
            if operator in (None, one.operator)}


class Mutations(unittest.TestCase):
    def test_relations_and_arithmetic_are_exchanged(self):
        self.assertEqual(made("x = a < b;", "relations"), {"x = a <= b;"})
        self.assertEqual(made("x = a == b;", "relations"), {"x = a != b;"})
        self.assertEqual(made("x = a + b;", "arithmetic"), {"x = a - b;"})
        self.assertEqual(made("x -= f(b);", "arithmetic"), {"x += f(b);"})

    def test_conditions_are_negated_where_no_relation_says_the_same(self):
        self.assertEqual(made("if (auto x = f(); x && y) g;", "conditions"),
                         {"if (auto x = f(); !(x && y)) g;"})
        self.assertEqual(made("if (auto x = f()) g;", "conditions"), set())
        self.assertEqual(made("if (!x) g;"), {"if (x) g;"})
        self.assertEqual(made("if (a == b) g;"), {"if (a != b) g;"})

    def test_choices_are_made_constant(self):
        self.assertEqual(made("int x = a::b ? c : d;", "choices"),
                         {"int x = true ? c : d;", "int x = false ? c : d;"})
        self.assertEqual(made("f(x, y == z\n ? c : d);", "choices"),
                         {"f(x, true ? c : d);", "f(x, false ? c : d);"})

    def test_logic_constants_and_twins(self):
        self.assertEqual(made("x = a && !b;", "logic"), {"x = a || !b;", "x = a && b;"})
        self.assertEqual(made("x = 0;", "constants"), {"x = 1;"})
        self.assertEqual(made("x = 3U;", "constants"), {"x = 4U;", "x = 2U;"})
        self.assertEqual(made("x = 0.5F;", "constants"), {"x = 1.5F;"})
        self.assertEqual(made("x = 0x9e1ULL + a1;", "constants"), set())
        self.assertEqual(made("x = std::min(a, a);", "twins"), {"x = std::max(a, a);"})
        self.assertEqual(made("x = v.first(true);", "twins"), {"x = v.last(true);", "x = v.first(false);"})

    def test_calls_and_assignments_are_dropped_but_not_declarations(self):
        dropped = {"{ a.b(c,\n  d); }": "{ ; }", "{ x[i] = y; }": "{ ; }", "{ ++n; }": "{ ; }",
                   "if (a) f();": "if (a) ;"}
        for code, without in dropped.items():
            self.assertEqual(made(code, "dropped"), {without})
        for code in ["{ int x = y; }", "{ Foo foo(x); }", "{ return f(x); }", "{ v.reserve(n); }",
                     "for (i = 0; f(i); ++i)", "A::A(int x)\n    : x_(x) {}"]:
            self.assertEqual(made(code, "dropped"), set(), code)

    def test_values_are_replaced_by_defaults_and_arguments_exchanged(self):
        self.assertEqual(made("return f(x);", "defaults"), {"return {};"})
        self.assertEqual(made("return {};", "defaults"), set())
        self.assertEqual(made("f(a, g(b, c));", "swaps"), {"f(g(b, c), a);", "f(a, g(c, b));"})
        self.assertEqual(made("void f(int a, double b) {", "swaps"), set())

    def test_comments_literals_and_checks_of_invariants_stay(self):
        self.assertEqual(made('// a < b\n/* x = 3; */\n#if A > 3\nRSD_CHECK(a > 3, "x = 4");\n'), set())
        self.assertEqual(made('f("1 < 2");', "constants"), set())

    def test_a_mutant_knows_its_lines(self):
        one, = (one for one in mutations.mutants_of("a.cpp", "int a;\nx =\n    b < c;\n")
                if one.operator == "relations")
        self.assertEqual((one.line, one.last_line, one.before, one.after), (3, 3, "b < c;", "b <= c;"))


class Order(unittest.TestCase):
    def test_the_slowest_tests_come_last(self):
        passed = "[       OK ] A.Quick ({} ms)\n[       OK ] B/C.Slow/1 ({} ms)\n[       OK ] A.Slowest ({} ms)\n"
        self.assertEqual(mutants.slow_tests(passed.format(100, 3000, 9000)), ["A.Slowest", "B/C.Slow/1"])
        self.assertEqual(mutants.slow_tests(passed.format(100, 900, 9000)), ["A.Slowest"])
        self.assertEqual(mutants.slow_tests(passed.format(100, 100, 100)), [])


class NamedFaults(unittest.TestCase):
    def test_each_is_found_once_in_its_source(self):
        entries = json.loads((ROOT / "tools/mutants/named.json").read_text(encoding="utf-8"))
        self.assertEqual(len({entry["name"] for entry in entries}), len(entries))
        for entry in entries:
            text = (ROOT / entry["file"]).read_text(encoding="utf-8")
            self.assertEqual(text.count(entry["old"]), 1, entry["name"])
            self.assertNotEqual(entry["old"], entry["new"])

    def test_each_explained_survivor_is_a_mutant_that_exists(self):
        path = ROOT / "tools/mutants/explained.json"
        named = json.loads((ROOT / "tools/mutants/named.json").read_text(encoding="utf-8"))
        for entry in json.loads(path.read_text(encoding="utf-8")):
            text = (ROOT / entry["file"]).read_text(encoding="utf-8")
            found = mutations.mutants_of(entry["file"], text)
            for one in named:
                if one["file"] == entry["file"]:
                    start = text.index(one["old"])
                    found.append(mutations.mutant(one["file"], text, one["name"],
                                                  (start, start + len(one["old"]), one["new"])))
            self.assertIn((entry["before"], entry["after"]), {(one.before, one.after) for one in found})


@unittest.skipUnless(all(map(shutil.which, ["cmake", "ninja", "git", "prlimit"])), "a tool is missing")
class Tool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.kept.name)
        for name, text in FILES.items():
            path = cls.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        subprocess.run(["git", "init", "--quiet"], cwd=cls.root, check=True)
        subprocess.run(["git", "add", "."], cwd=cls.root, check=True)

    @classmethod
    def tearDownClass(cls):
        cls.kept.cleanup()

    def run_tool(self, *arguments):
        done = subprocess.run([sys.executable, TOOL, *arguments, "--root", self.root, "--jobs", "2"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((self.root / "src/toy/toy.cpp").read_text(encoding="utf-8"), SOURCE)
        return done.returncode, done.stdout, done.stderr

    def outcomes(self):
        """{(line, operator, what it became): (outcome, test)}"""
        text = (self.root / "build/mutants/results.json").read_text(encoding="utf-8")
        return {key.split(":", 1)[1]: (one["outcome"], one["test"])
                for key, one in json.loads(text)["mutants"].items()}

    def test_a_noticed_fault_is_killed_and_an_unnoticed_one_survives(self):
        code, output, errors = self.run_tool("toy")
        self.assertEqual(code, 1, errors)
        found = self.outcomes()
        self.assertEqual(found["4:conditions: if (a < b) return b; -> if (!(a < b)) return b;"],
                         ("killed", "Toy.Larger"))
        self.assertEqual(found["4:relations: if (a < b) return b; -> if (a <= b) return b;"], ("survived", ""))
        self.assertEqual(found["11:constants: sum += 2; -> sum += 3;"], ("killed", "Toy.Count"))
        self.assertEqual(found["16:arithmetic: return a + 1; -> return a - 1;"], ("survived", ""))
        self.assertIn("% of those that could be killed were", errors)
        self.assertIn("by Toy.Count", output)

        with self.subTest("an explanation takes a survivor out of the count, and what is known stays"):
            explained = self.root / "tools/mutants/explained.json"
            explained.parent.mkdir(parents=True)
            explained.write_text(json.dumps([{
                "file": "src/toy/toy.cpp", "before": "if (a < b) return b;",
                "after": "if (a <= b) return b;", "why": "equal numbers are equal"}]), encoding="utf-8")
            code, output, errors = self.run_tool("--lines", "src/toy/toy.cpp:4", "--results",
                                                 str(self.root / "build/mutants/results.json"))
            self.assertEqual(code, 0, errors)
            self.assertIn("equal numbers are equal", output)
        with self.subTest("survivors"):
            code, output, _ = self.run_tool("toy", "--survivors", "--list")
            self.assertEqual(code, 0)
            self.assertNotIn("toy.cpp:11", output)
            self.assertIn("toy.cpp:16", output)

    def test_named_faults_need_no_pattern(self):
        path = self.root / "tools/mutants/named.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([{"name": "always-b", "file": "src/toy/toy.cpp",
                                     "old": "  return a;\n", "new": "  return b;\n"},
                                    {"name": "never-ends", "file": "src/toy/toy.cpp", "old": "int sum = 0;",
                                     "new": "int sum = 0; volatile bool on = true; while (on) {}"},
                                    {"name": "no-code", "file": "src/toy/toy.cpp",
                                     "old": "int sum = 0;", "new": "int sum = ;"}]), encoding="utf-8")
        code, output, errors = self.run_tool("--named")
        self.assertEqual(code, 0, errors)
        self.assertRegex(output, r"killed +src/toy/toy.cpp:5 always-b")
        self.assertRegex(output, r"timed out +src/toy/toy.cpp:9 never-ends")
        self.assertRegex(output, r"did not compile +src/toy/toy.cpp:9 no-code")

    def test_a_sample_is_the_same_for_the_same_seed(self):
        first, again, other = (self.run_tool("toy", "--sample", "5", "--seed", seed, "--list")
                               for seed in ("3", "3", "4"))
        self.assertEqual(first, again)
        self.assertNotEqual(first[1], other[1])
        self.assertIn("seed 3", first[2])
        self.assertEqual(first[1].count("->"), 5)

    def test_an_interrupted_run_leaves_no_program_and_can_be_given_again(self):
        with subprocess.Popen([sys.executable, TOOL, "toy", "--root", self.root, "--jobs", "1", "--results",
                               self.root / "build/mutants/other.json"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as tool:
            tool.stdout.readline()
            time.sleep(0.1)
            os.kill(tool.pid, signal.SIGTERM)
            self.assertEqual(tool.wait(60), 130)
        text = (self.root / "build/mutants/other.json").read_text(encoding="utf-8")
        self.assertGreater(len(json.loads(text)["mutants"]), 0)
        self.assertEqual(self.run_tool("--lines", "src/toy/toy.cpp:11")[0], 0)

    def test_what_can_not_be_done_is_an_error(self):
        for arguments in (["nothing"], ["--lines", "src/toy/toy.cpp"], ["--named", "unknown"]):
            self.assertEqual(self.run_tool(*arguments)[0], 3, arguments)


if __name__ == "__main__":
    unittest.main()
