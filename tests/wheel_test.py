#!/usr/bin/env python3
"""The wheel in an empty virtual environment, without compilers: it ranks, with any of its kernels.

usage: wheel_test.py WHEEL

Run by ./dev wheel, which makes the wheel. Prints the figures that the tests don't assert.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from build_paths import paths_in  # noqa: E402

TINY = ROOT / "tests/models/tiny-bpe.gguf"
MAX_BYTES = 25 << 20  # without the project's models
WHEEL = None

RANK = f"""
import json, rsd
with rsd.Ranker({str(TINY)!r}, policy="replay") as ranker:
    answer = ranker.rank("how long to steep tea", ["Boil it.", "Two minutes.", "Green tea."], budget=2)
kernels = {{line.split("/")[-1].strip() for line in open("/proc/self/maps") if "libggml-cpu" in line}}
print(json.dumps({{"order": answer.order, "encodings": answer.encodings, "kernels": sorted(kernels)}}))
"""


class Environment:
    """A virtual environment in which nothing but the wheel is installed."""

    def __init__(self, wheel):
        self._folder = tempfile.TemporaryDirectory(prefix="rsd-wheel-")
        self.home = pathlib.Path(self._folder.name)
        subprocess.run([sys.executable, "-I", "-m", "venv", self.home / "venv"], check=True)
        self.bin = self.home / "venv/bin"
        # Neither a compiler nor anything else of the machine; nor the source's own settings.
        self.environment = {"PATH": str(self.bin), "HOME": str(self.home)}
        self.run(self.bin / "python", "-I", "-m", "pip", "install", "--quiet", "--no-index",
                 "--disable-pip-version-check", wheel)
        self.package = next(self.home.glob("venv/lib/python*/site-packages/rsd"))

    def run(self, *command, cwd=None, **environment):
        done = subprocess.run(list(map(str, command)), env={**self.environment, **environment},
                              cwd=cwd or self.home, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def python(self, script, **environment):
        return self.run(self.bin / "python", "-c", script, **environment)

    def close(self):
        self._folder.cleanup()


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Environment(WHEEL)
        cls.kernels = sorted((cls.place.package / "_native/lib").glob("libggml-cpu-*.so"))

    @classmethod
    def tearDownClass(cls):
        cls.place.close()

    def test_is_for_any_python_3_and_many_linuxes(self):
        self.assertRegex(WHEEL.name, r"^rsd-[\d.]+-py3-none-manylinux\w*_x86_64\.whl$")

    def test_is_small(self):
        with zipfile.ZipFile(WHEEL) as wheel:
            sizes = {info.filename: info.compress_size for info in wheel.infolist()}
        models = sum(size for name, size in sizes.items() if name.endswith(".gguf"))
        rest = sum(sizes.values()) - models
        print(f"\nwheel: {rest / 2**20:.1f} MiB, and {models / 2**20:.1f} MiB of adapters and agent")
        self.assertLess(rest, MAX_BYTES)

    def test_names_no_path_of_the_machine_that_built_it(self):
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(WHEEL) as wheel:
            wheel.extractall(folder)
            self.assertEqual(paths_in(path for path in pathlib.Path(folder).rglob("*")
                                      if path.is_file()), [])

    def test_ranks(self):
        answer = json.loads(self.place.python(RANK))
        self.assertEqual(sorted(answer["order"]), [0, 1, 2])
        self.assertEqual(len(answer["kernels"]), 1)
        print(f"\nkernels chosen here: {answer['kernels'][0]}")

    def test_has_kernels_for_old_and_new_cpus(self):
        names = {path.stem.removeprefix("libggml-cpu-") for path in self.kernels}
        self.assertLessEqual({"x64", "sse42", "sandybridge", "haswell", "skylakex", "icelake",
                              "alderlake", "zen4"}, names)

    def test_ranks_with_the_kernels_of_older_cpus(self):
        for name in ("x64", "sse42", "haswell"):
            with self.subTest(name):
                answer = self.rank_with_kernels(f"libggml-cpu-{name}.so")
                self.assertEqual(answer["kernels"], [f"libggml-cpu-{name}.so"])
                self.assertEqual(sorted(answer["order"]), [0, 1, 2])

    def rank_with_kernels(self, *names):
        """In a copy of the package that has only these."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "rsd"
            shutil.copytree(self.place.package, copy)
            libraries = self.place.package.parent / "rsd.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, pathlib.Path(folder) / "rsd.libs")
            for kernels in (copy / "_native/lib").glob("libggml-cpu-*.so"):
                if kernels.name not in names:
                    kernels.unlink()
            return json.loads(self.place.python(RANK, PYTHONPATH=folder))

    def test_without_any_kernels_it_says_so(self):
        with self.assertRaisesRegex(AssertionError, "no kernels for this CPU"):
            self.rank_with_kernels()

    def test_brings_the_program(self):
        self.assertRegex(self.place.run(self.place.bin / "rsd", "--version"), r"\d+\.\d+")
        requests = ROOT / "examples/passages.jsonl"
        lines = self.place.run(self.place.bin / "rsd", "rank", "--requests", requests, "--model", TINY)
        self.assertEqual(len(lines.splitlines()), len(requests.read_text().splitlines()))

    def test_a_missing_model_says_how_to_get_it(self):
        script = "import rsd\ntry: rsd.Ranker()\nexcept rsd.ModelNotFound as error: print(error)"
        self.assertIn("rsd model fetch", self.place.python(script))

    def test_passes_the_packages_own_tests(self):
        self.place.run(self.place.bin / "python", "-m", "unittest", "test_ranker",
                       cwd=ROOT / "bindings/python/tests", PYTHONDONTWRITEBYTECODE="1")

    def test_import_is_quick(self):
        script = "import time; t = time.perf_counter(); import rsd; print(time.perf_counter() - t)"
        times = sorted(float(self.place.python(script)) for _ in range(5))
        print(f"\nimport: {times[2] * 1000:.0f} ms, the median of 5")


if __name__ == "__main__":
    WHEEL = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
