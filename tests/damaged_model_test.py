"""Models that aren't what they were when they were made are never used silently.

Usage: damaged_model_test.py RSD [unittest's arguments]
"""

import json
import os
import pathlib
import sys
import unittest

import cli_test
from cli_test import INVALID, MISSING, MODEL, OK, RUNTIME, CliTest, default_base, run


def zero(path, start, length):
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(bytes(length))


def flip(path, place):
    """One bit, and the time of the last change is as before."""
    times = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def snapshot(folder):
    return {str(path): (os.stat(path).st_mtime_ns, os.stat(path).st_ino)
            for path in [folder, *folder.rglob("*")]}


class OwnModel(CliTest):
    """A small model that `rsd model prepare` made."""

    def setUp(self):
        super().setUp()
        self.output = self.folder / "prepared.gguf"
        self.prepare()
        self.content = self.output.read_bytes()

    def prepare(self):
        return self.check(run("model", "prepare", "-t", 1, "--model", MODEL, "--output", self.output,
                              "--check-requests", "none"), OK)

    def load(self):
        return run("model", "inspect", "-t", 1, "-c", 64, "-m", self.output)

    def damages(self):
        size = len(self.content)
        yield "truncated", lambda: os.truncate(self.output, size - 1)
        yield "empty", lambda: os.truncate(self.output, 0)
        yield "longer", lambda: self.output.write_bytes(self.content + b"x")
        yield "zeroed", lambda: zero(self.output, size // 2, size // 3)
        yield "one bit", lambda: flip(self.output, size - 100)

    def test_the_record_has_its_checksum(self):
        record = json.loads(pathlib.Path(f"{self.output}.json").read_text())["output"]
        self.assertEqual(record["size_bytes"], len(self.content))
        self.assertRegex(record["sha256"], "^[0-9a-f]{64}$")
        self.assertRegex(record["samples_sha256"], "^[0-9a-f]{64}$")

    def test_damage_is_refused_verified_and_mended(self):
        for name, damage in self.damages():
            with self.subTest(name):
                damage()
                done = self.check(self.load(), INVALID, "is damaged: .*rsd model prepare")
                self.assertEqual(done.stdout, "")
                done = self.check(run("model", "verify", "-m", self.output), INVALID, "can't be trusted")
                self.assertRegex(done.stdout, r"prepared\.gguf: damaged: it")
                self.assertRegex(self.prepare().stderr, "is damaged: .* is made anew")
                self.assertEqual(self.output.read_bytes(), self.content)
                self.check(self.load(), OK)
                done = self.check(run("model", "verify", "-m", self.output), OK)
                self.assertEqual(done.stdout, f"{self.output}: whole\n")

    def test_a_model_without_a_record_is_taken_as_it_is_but_not_called_whole(self):
        record = pathlib.Path(f"{self.output}.json")
        for text in [None, "", "[]", "{}", '{"output": 3}', '{"output": {"size_bytes": -1}}']:
            with self.subTest(text):
                record.unlink() if text is None else record.write_text(text)
                self.check(self.load(), OK)
                done = self.check(run("model", "verify", "-m", self.output), INVALID)
                self.assertIn("no checksum", done.stdout)

    def test_a_missing_model_is_an_error(self):
        self.output.unlink()
        self.check(self.load(), MISSING, "does not exist")
        self.check(run("model", "verify", "-m", self.output), MISSING, "does not exist")


class DefaultModel(CliTest):
    def setUp(self):
        super().setUp()
        base = default_base()
        if not base.exists():
            self.skipTest(f"{base} is missing; `rsd model fetch` fetches it")
        self.models = self.folder / "rsd" / "models"
        self.models.mkdir(parents=True)
        (self.models / base.name).symlink_to(base)
        self.base = self.models / base.name
        self.places = {**os.environ, "XDG_CACHE_HOME": str(self.folder), "PIP_NO_INDEX": "1"}

    def fetch(self, code=OK, *patterns):
        return self.check(run("model", "fetch", env=self.places), code, *patterns)

    def inspect(self, code=OK, *patterns):
        return self.check(run("model", "inspect", "-c", 64, "-t", 1, env=self.places), code, *patterns)

    def verify(self, code=OK):
        return self.check(run("model", "verify", env=self.places), code).stdout

    def prepared(self):
        return pathlib.Path(self.fetch().stdout.strip())

    def own_base(self):
        content = self.base.read_bytes()
        self.base.unlink()
        self.base.write_bytes(content)

    def test_a_damaged_one_is_made_anew_when_it_is_used(self):
        path = self.prepared()
        size = path.stat().st_size
        for damage in [lambda: zero(path, size // 2, 1_000_000), lambda: os.truncate(path, size // 2),
                       lambda: os.truncate(path, 0), pathlib.Path(f"{path}.json").unlink]:
            damage()
            self.assertIn("damaged", self.verify(INVALID))
            self.inspect()
            self.assertEqual(self.verify().count(": whole\n"), 2)

    def test_one_bit_is_mended_by_fetch(self):
        path = self.prepared()
        flip(path, 12_345_678)
        self.assertIn(f"{path}: damaged", self.verify(INVALID))
        self.fetch(OK, "is damaged: .* is made anew")
        self.verify()

    def test_the_base_is_looked_at_when_it_is_used(self):
        self.own_base()
        adapter = cli_test.ROOT / "models" / "smollm2-135m-rank-lora.gguf"
        zero(self.base, 50_000_000, 1_000_000)
        done = run("model", "inspect", "-c", 64, "-t", 1, "--lora", adapter, env=self.places)
        self.check(done, INVALID, "is damaged: .*`rsd model fetch`")
        self.inspect(INVALID, "is damaged: .*`rsd model fetch`")
        self.assertIn("damaged", self.verify(INVALID))
        # There is no index here to fetch it from.
        self.fetch(RUNTIME, "is damaged; fetching it again")

    def test_a_damaged_one_that_cannot_be_made_anew_is_not_used(self):
        path = self.prepared()
        self.base.unlink()
        self.inspect()
        os.truncate(path, 1_000_000)
        self.inspect(MISSING, "is damaged: it has 1000000 bytes .* can't be made anew: .*rsd model fetch")

    def test_a_complete_cache_is_not_written_to(self):
        path = self.prepared()
        self.check(run("model", "prepare", "--check-requests", "none", env=self.places), OK)
        for lock in (self.folder / "rsd").glob("*.lock"):
            lock.unlink()
        cache = self.folder / "rsd"
        before = snapshot(cache)
        for folder in [cache, self.models]:
            folder.chmod(0o555)  # root writes all the same; hence the look at what is there
        try:
            self.assertEqual(self.prepared(), path)
            done = run("model", "prepare", "--check-requests", "none", env=self.places)
            self.check(done, OK, "is there already")
            self.inspect()
            self.verify()
        finally:
            for folder in [cache, self.models]:
                folder.chmod(0o755)
        self.assertEqual(snapshot(cache), before)

    def test_an_empty_cache_has_nothing_to_verify(self):
        self.base.unlink()
        done = self.check(run("model", "verify", env=self.places), MISSING, "rsd model fetch")
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    cli_test.RSD = sys.argv.pop(1)
    unittest.main()
