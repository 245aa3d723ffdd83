"""Tests of tools/check_layers.py on small synthetic source trees."""

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
                              ("decode", "data/a.h"), ("models", "ranker/a.h"), ("agent", "llm/a.h"), ("llm", "agent/a.h")]:
            with self.subTest(layer=layer, header=header):
                above = header.split("/")[0]
                self.assert_offence(f"src/{layer}/a.cpp", f'#include "rsd/{header}"',
                                    f"{layer} must not include {above} (rsd/{header})")
                self.assert_offence(f"include/rsd/{layer}/a.h", f"#include <rsd/{header}>",
                                    f"{layer} must not include {above} (rsd/{header})")

    def test_private_headers_obey_the_arrows_too(self):
        self.assert_offence("src/rank/a.cpp", '#include "decode/a.h"',
                            "rank must not include decode (decode/a.h)")

    def test_the_program_wires_the_server_and_not_the_reverse(self):
        self.assert_accepted({"cli/a.cpp": '#include "server/service.h"\n',
                              "server/service.h": '#include "metrics.h"\n',
                              "server/metrics.h": ""})
        self.assert_offence("server/a.cpp", '#include "cli/options.h"',
                            "server must not include cli (cli/options.h)")
        for layer in ["bindings", "benchmarks", "examples", "tests"]:
            self.assert_offence(f"{layer}/a.cpp", '#include "server/service.h"',
                                f"{layer} must not include server (server/service.h)")

    def test_the_folders_of_the_server_have_layers(self):
        self.assert_accepted({"server/http/a.cpp": '#include "server/http/b.h"\n',
                              "server/api/a.cpp": '#include "server/http/b.h"\n',
                              "server/a.cpp": '#include "server/http/b.h"\n#include "server/api/b.h"\n'})
        for folder, header, above in [("http", "server/api/a.h", "server/api"),
                                      ("http", "server/a.h", "server"),
                                      ("http", "../a.h", "server"),
                                      ("api", "server/a.h", "server")]:
            with self.subTest(folder=folder, header=header):
                result = run_checker({f"server/{folder}/a.cpp": f'#include "{header}"\n',
                                      "server/a.h": "", "server/api/a.h": ""})
                self.assertEqual(result, (1, [f"server/{folder}/a.cpp:1: server/{folder} must not "
                                              f"include {above} ({header})"]))

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

    def test_ggml_is_seen_by_llm_and_agent_only(self):
        self.assert_accepted({"src/llm/a.cpp": "#include <gguf.h>\n",
                              "src/agent/a.cpp": "#include <ggml-cpu.h>\n"})
        self.assert_offence("src/train/a.cpp", "#include <ggml-opt.h>",
                            "train must not include ggml (ggml-opt.h)")
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
        for header in ["core/names.h", "decode/a.h"]:
            self.assert_offence("include/rsd/decode/a.h", f'#include "{header}"',
                                f"a public header must not include a private header ({header})")

    def test_public_headers_name_nothing_of_a_library(self):
        for line, library, name in [
                ("struct llama_model;", "llama.cpp", "llama_model"),
                ("std::vector<llama_token> tokens;", "llama.cpp", "llama_token"),
                ("struct ggml_tensor; // why", "ggml", "ggml_tensor"),
                ("struct gguf_context;", "ggml", "gguf_context"),
                ("namespace nlohmann { class json; }", "nlohmann-json", "namespace nlohmann"),
                ("void f(const nlohmann::json&);", "nlohmann-json", "nlohmann::"),
                ("void f(const YAML::Node&);", "yaml-cpp", "YAML::"),
                ("void f(::CLI::App&);", "CLI11", "CLI::"),
                ("spdlog::logger* log;", "spdlog", "spdlog::"),
                ("httplib::Server* server;", "cpp-httplib", "httplib::"),
                ("using Handle = CURL*;", "curl", "CURL"),
                ("struct evp_md_ctx_st;", "openssl", "evp_md_ctx_st")]:
            with self.subTest(line=line):
                self.assert_offence("include/rsd/llm/a.h", line,
                                    f"a public header must not name {library} ({name})")

    def test_comments_and_literals_name_nothing(self):
        self.assert_accepted({
            "include/rsd/llm/llama_engine.h":
                '#include "rsd/llm/llama_options.h"\n#include <rsd/llm/llama_log.h>\n'
                "// llama_model, nlohmann::json\n/* YAML::Node\n   CURL */\n"
                'const char* kName = "//"; // ggml_tensor\n'
                'const char* kText = "say \\"llama_model\\""; int big = 1\'000;  // CLI::App\n'
                'const char* kRaw = R"(" CURL)";\n'
                '/*\n#include "llama.h"\n*/\nclass LlamaEngine; void my_llama_name(MYCLI::T);\n',
            "src/llm/a.h": "struct llama_model;\n",
        })

    def test_a_name_behind_a_comment_is_seen_on_its_line(self):
        result = run_checker({"include/rsd/llm/a.h": "/* a\n b */ // c\nstruct llama_model;\n"})
        self.assertEqual(result, (1, ["include/rsd/llm/a.h:3: a public header must not name "
                                      "llama.cpp (llama_model)"]))

    def test_googletest_and_test_fakes_belong_to_tests(self):
        self.assert_accepted({
            "src/rank/a_test.cpp": '#include <gtest/gtest.h>\n#include "support/fakes.h"\n',
            "tests/support/fakes.h": "#include <gmock/gmock.h>\n",
            "tests/a_test.cpp": '#include "fixtures.h"\n',
            "tests/fixtures.h": "",
            "benchmarks/a.cpp": '#include "support/fakes.h"\n',
        })
        self.assert_offence("src/rank/a.cpp", "#include <gtest/gtest.h>",
                            "rank must not include GoogleTest (gtest/gtest.h)")
        self.assert_offence("src/rank/a.cpp", '#include "tests/support/fakes.h"',
                            "rank must not include tests (tests/support/fakes.h)")
        for path, layer in [("cli/a.cpp", "cli"), ("examples/a.cpp", "examples")]:
            self.assert_offence(path, '#include "tests/support/fakes.h"',
                                f"{layer} must not include tests (tests/support/fakes.h)")

    def test_of_the_tests_only_the_helpers_are_shared(self):
        for path, layer in [("src/rank/a_test.cpp", "rank"), ("benchmarks/a.cpp", "benchmarks")]:
            self.assert_offence(path, '#include "tests/fixtures.h"',
                                f"{layer} must not include tests (tests/fixtures.h)")

    def test_what_stands_beside_the_modules_sees_their_public_headers_only(self):
        for root in ["cli", "server", "tests", "benchmarks", "examples"]:
            with self.subTest(root=root):
                self.assert_accepted({
                    f"{root}/a.cpp": '#include <rsd/decode/run.h>\n#include "b.h"\n'
                                     f'#include "{root}/b.h"\n',
                    f"{root}/b.h": "",
                })
                self.assert_offence(f"{root}/a.cpp", '#include "core/names.h"',
                                    f"{root} must not include a private header (core/names.h)")
                result = run_checker({f"{root}/a_test.cpp": '#include "../src/core/names.h"\n',
                                      "src/core/names.h": ""})
                self.assertEqual(result, (1, [f"{root}/a_test.cpp:1: {root} must not include a "
                                              "private header (../src/core/names.h)"]))

    def test_programs_see_the_private_headers_of_shared_modules(self):
        self.assert_accepted({"server/a.cpp": '#include "json/read_json.h"\n'})
        for root in ["cli", "tests", "benchmarks", "examples"]:
            self.assert_offence(f"{root}/a.cpp", '#include "json/read_json.h"',
                                f"{root} must not include a private header (json/read_json.h)")

    def test_fuzz_targets_see_private_readers_and_nothing_includes_them(self):
        self.assert_accepted({"fuzz/a.cpp": '#include "json/read_json.h"\n#include "llm/gguf_file.h"\n'
                                            '#include "remote/npy.h"\n#include "server/service.h"\n'
                                            '#include "cli/program.h"\n'})
        self.assert_offence("fuzz/a.cpp", '#include "data/lines.h"',
                            "fuzz must not include a private header (data/lines.h)")
        self.assert_offence("tests/a.cpp", '#include "fuzz/target.h"',
                            "tests must not include fuzz (fuzz/target.h)")

    def test_modules_and_their_tests_see_private_headers_of_what_they_may_use(self):
        self.assert_accepted({
            "src/eval/a.cpp": '#include "data/fixed_decimals.h"\n#include "eval/cells.h"\n',
            "src/eval/a_test.cpp": '#include "eval/cells.h"\n',
        })
        self.assert_offence("src/rank/a_test.cpp", '#include "llm/log.h"',
                            "rank must not include llm (llm/log.h)")

    def test_links_follow_the_arrows(self):
        self.assert_accepted({
            "src/CMakeLists.txt": "# rsd_add_module(old LINKS rsd::x)\n"
                                  "rsd_add_module(core SOURCES core/a.cpp)\n"
                                  "rsd_add_module(rank\n  SOURCES rank/a.cpp\n"
                                  "  LINKS rsd::core # why\n  THIRD_PARTY yaml-cpp)\n"
                                  "rsd_add_module(data LINKS rsd::rank TEST_LINKS rsd::llm)\n",
            "src/data/a.cpp": '#include "rsd/core/a.h"\n#include "rsd/rank/a.h"\n',
        })
        for link in ["llm", "rank", "boost"]:
            with self.subTest(link=link):
                result = run_checker({
                    "src/CMakeLists.txt": f"\nrsd_add_module(rank LINKS rsd::core rsd::{link})\n",
                    "src/rank/a.cpp": "",
                })
                self.assertEqual(
                    result, (1, [f"src/CMakeLists.txt:2: rank must not link {link}"]))
        result = run_checker({"src/CMakeLists.txt": "rsd_add_module(ranks)\n",
                              "src/rank/a.cpp": ""})
        self.assertEqual(result, (1, ["src/CMakeLists.txt:1: ranks is no module; "
                                      "add it to tools/check_layers.py"]))

    def test_links_lead_to_what_is_included(self):
        result = run_checker({
            "src/CMakeLists.txt": "rsd_add_module(rank LINKS rsd::core)\n"
                                  "rsd_add_module(decode LINKS rsd::rank TEST_LINKS rsd::prompt)\n"
                                  "rsd_add_module(eval LINKS rsd::decode)\n",
            "include/rsd/eval/a.h": '\n#include "rsd/data/a.h"\n',
            "src/eval/a.cpp": '#include "rsd/core/a.h"\n#include "data/b.h"\n',
            "src/eval/a_test.cpp": '#include "rsd/prompt/a.h"\n',
        })
        complaint = "its LINKS in src/CMakeLists.txt do not lead there"
        self.assertEqual(result, (1, [
            f"include/rsd/eval/a.h:2: eval includes data (rsd/data/a.h), {complaint}",
            f"src/eval/a.cpp:2: eval includes data (data/b.h), {complaint}",
        ]))

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

    def test_an_offence_has_its_line(self):
        result = run_checker({"src/rank/a.cpp": '\n// words\n#include "llama.h"\n'})
        self.assertEqual(
            result, (1, ["src/rank/a.cpp:3: rank must not include llama.cpp (llama.h)"]))

    def test_a_tree_without_sources_is_an_error(self):
        self.assertEqual(run_checker({"README.md": ""}), (2, []))


if __name__ == "__main__":
    unittest.main()
