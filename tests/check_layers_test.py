"""Tests of tools/check_layers.py on trees of a few made-up files."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECKER = pathlib.Path(__file__).resolve().parent.parent / "tools" / "check_layers.py"


def run_checker(files):
    """Exit code and printed lines for a tree made of {path: text}."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            target = pathlib.Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, CHECKER, folder], capture_output=True, text=True,
                              check=False)
    return done.returncode, done.stdout.splitlines()


class CheckLayers(unittest.TestCase):
    def assert_accepted(self, files):
        self.assertEqual(run_checker(files), (0, []))

    def assert_offence(self, path, line, complaint):
        self.assertEqual(run_checker({path: line + "\n"}), (1, [f"{path}:1: {complaint}"]))

    def test_arrows_may_be_followed_down_any_number_of_steps(self):
        self.assert_accepted({
            "src/llm/a.cpp": '#include "rsd/decode/run.h"\n#include "rsd/prompt/t.h"\n'
                             '#include "rsd/rank/ranking.h"\n#include "core/names.h"\n',
            "include/rsd/decode/run.h": '#include <vector>\n#include "rsd/rank/ranking.h"\n',
            "src/train/a.cpp": '#include "rsd/agent/a.h"\n#include "rsd/data/a.h"\n',
            "src/eval/a.cpp": '#include "rsd/data/a.h"\n#include "rsd/decode/run.h"\n',
            "cli/main.cpp": '#include "rsd/llm/a.h"\n#include "cli/options.h"\n',
            "server/main.cpp": '#include "rsd/eval/a.h"\n',
        })

    def test_upward_arrows_are_offences(self):
        for layer, header in [("core", "rank/a.h"), ("rank", "prompt/a.h"), ("rank", "data/a.h"),
                              ("prompt", "decode/a.h"), ("decode", "llm/a.h"),
                              ("decode", "agent/a.h"), ("eval", "llm/a.h"), ("train", "llm/a.h"),
                              ("data", "decode/a.h"), ("agent", "llm/a.h"), ("llm", "agent/a.h")]:
            with self.subTest(layer=layer, header=header):
                above = header.split("/")[0]
                self.assert_offence(f"src/{layer}/a.cpp", f'#include "rsd/{header}"',
                                    f"{layer} must not include {above} (rsd/{header})")
                self.assert_offence(f"include/rsd/{layer}/a.h", f"#include <rsd/{header}>",
                                    f"{layer} must not include {above} (rsd/{header})")

    def test_private_headers_obey_the_arrows_too(self):
        self.assert_offence("src/rank/a.cpp", '#include "decode/a.h"',
                            "rank must not include decode (decode/a.h)")

    def test_nothing_includes_a_program(self):
        self.assert_offence("src/eval/a.cpp", '#include "cli/options.h"',
                            "eval must not include cli (cli/options.h)")
        self.assert_offence("server/a.cpp", '#include "cli/options.h"',
                            "server must not include cli (cli/options.h)")

    def test_a_relative_path_is_resolved_before_it_is_judged(self):
        result = run_checker({"src/rank/a.cpp": '#include "../llm/b.h"\n', "src/llm/b.h": ""})
        self.assertEqual(result,
                         (1, ["src/rank/a.cpp:1: rank must not include llm (../llm/b.h)"]))

    def test_llama_is_seen_by_llm_and_its_tests_only(self):
        self.assert_accepted({"src/llm/a.cpp": "#include <llama.h>\n",
                              "src/llm/a_test.cpp": '#include "llama.h"\n'})
        for layer in ["agent", "train", "decode", "eval"]:
            self.assert_offence(f"src/{layer}/a.cpp", '#include "llama.h"',
                                f"{layer} must not include llama.cpp (llama.h)")
        self.assert_offence("cli/a.cpp", "#include <llama.h>",
                            "cli must not include llama.cpp (llama.h)")
        self.assert_offence("tests/a_test.cpp", "#include <llama.h>",
                            "tests must not include llama.cpp (llama.h)")

    def test_ggml_is_seen_by_llm_agent_and_train_only(self):
        self.assert_accepted({"src/llm/a.cpp": "#include <gguf.h>\n",
                              "src/agent/a.cpp": "#include <ggml-cpu.h>\n",
                              "src/train/a.cpp": "#include <ggml-opt.h>\n"})
        self.assert_offence("src/decode/a.cpp", "#include <ggml-backend.h>",
                            "decode must not include ggml (ggml-backend.h)")

    def test_libraries_are_private_to_their_modules(self):
        self.assert_accepted({"src/prompt/a.cpp": "#include <yaml-cpp/yaml.h>\n",
                              "src/data/a.cpp": "#include <nlohmann/json.hpp>\n",
                              "cli/a.cpp": "#include <CLI/CLI.hpp>\n#include <spdlog/spdlog.h>\n"})
        self.assert_offence("src/rank/a.cpp", "#include <nlohmann/json.hpp>",
                            "rank must not include nlohmann-json (nlohmann/json.hpp)")

    def test_public_headers_include_no_library(self):
        self.assert_offence("include/rsd/data/a.h", "#include <nlohmann/json.hpp>",
                            "a public header must not include nlohmann-json (nlohmann/json.hpp)")
        self.assert_offence("include/rsd/llm/a.h", '#  include "llama.h"',
                            "a public header must not include llama.cpp (llama.h)")

    def test_public_headers_include_no_private_ones(self):
        self.assert_offence("include/rsd/decode/a.h", '#include "core/names.h"',
                            "a public header includes a private one (core/names.h)")

    def test_googletest_and_test_fakes_belong_to_tests(self):
        self.assert_accepted({
            "src/rank/a_test.cpp": '#include <gtest/gtest.h>\n#include "fakes.h"\n',
            "tests/fakes.h": "#include <gmock/gmock.h>\n",
        })
        self.assert_offence("src/rank/a.cpp", "#include <gtest/gtest.h>",
                            "rank must not include GoogleTest (gtest/gtest.h)")
        self.assert_offence("src/rank/a.cpp", '#include "tests/fakes.h"',
                            "rank must not include tests (tests/fakes.h)")

    def test_examples_see_only_what_is_installed(self):
        self.assert_accepted({"examples/embed/main.cpp": "#include <rsd/decode/run.h>\n"})
        self.assert_offence("examples/embed/main.cpp", '#include "core/names.h"',
                            "an example includes a private header (core/names.h)")

    def test_what_no_table_knows_is_an_offence(self):
        unknown = "is unknown; if it may be used, add it to the tables of tools/check_layers.py"
        self.assert_offence("src/rank/a.cpp", "#include <boost/any.hpp>",
                            f"boost/any.hpp {unknown}")
        self.assert_offence("src/rank/a.cpp", '#include "vector"', f"vector {unknown}")
        self.assert_offence("src/rank/a.cpp", "#include HEADER",
                            "an include that can't be checked: HEADER")
        self.assert_offence("src/utils/a.cpp", "",
                            "utils is no module; "
                            "add it to tools/check_layers.py and ARCHITECTURE.md")

    def test_the_line_of_the_offence_is_told(self):
        result = run_checker({"src/rank/a.cpp": '\n// words\n#include "llama.h"\n'})
        self.assertEqual(
            result, (1, ["src/rank/a.cpp:3: rank must not include llama.cpp (llama.h)"]))

    def test_a_tree_without_sources_is_an_error(self):
        self.assertEqual(run_checker({"README.md": ""}), (2, []))


if __name__ == "__main__":
    unittest.main()
