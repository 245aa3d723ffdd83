#!/usr/bin/env python3
"""Runs the Python programs of the documentation: the blocks of a page one after the other, in one
namespace, in a folder with requests.jsonl.

The tiny model stands in for the default one (RSD_MODEL), and a server on it for that of the page. A
block that needs a package which isn't installed is named and left out.
"""

import os
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from support.rsd_server import Server

ROOT = pathlib.Path(__file__).resolve().parent.parent
TINY = ROOT / "tests/models/tiny-bpe.gguf"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
OPTIONAL = {"haystack", "langchain_core", "llama_index", "matplotlib", "pandas", "pyterrier", "rerankers",
            "tqdm"}
SERVER = "http://127.0.0.1:8080"


def run_page(page, server):
    """How many of its blocks ran."""
    names, n_run = {}, 0
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), start=1):
        block = block.replace(SERVER, server)
        try:
            exec(compile(block, f"{page.name}, block {number}", "exec"), names)
            n_run += 1
        except ModuleNotFoundError as missing:
            if missing.name not in OPTIONAL:
                raise
            print(f"{page.name}, block {number}: left out, {missing.name} isn't installed",
                  file=sys.stderr)
    return n_run


class Documentation(unittest.TestCase):
    def test_the_programs_run(self):
        os.environ["RSD_MODEL"] = str(TINY)
        with tempfile.TemporaryDirectory() as folder, \
                Server(os.environ["RSD_PROGRAM"], "--model", TINY, "--threads", "1") as server:
            shutil.copy(ROOT / "examples/passages.jsonl", pathlib.Path(folder) / "requests.jsonl")
            before = os.getcwd()
            os.chdir(folder)
            try:
                self.assertGreaterEqual(run_page(ROOT / "docs/python.md", server.url), 12)
                self.assertEqual(run_page(ROOT / "bindings/python/README.md", server.url), 1)
            finally:
                os.chdir(before)


if __name__ == "__main__":
    unittest.main()
