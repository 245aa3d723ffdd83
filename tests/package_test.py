#!/usr/bin/env python3
"""The Debian packages that ./dev package makes: what they hold; installed, run and removed.

usage: package_test.py FOLDER [unittest's arguments]

Class Installed needs root and debootstrap (./dev test-package): it makes a Debian 12 in build/debian,
whose apt fetches what the packages depend on. Without these it is skipped, and says so.
"""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import debian_root  # noqa: E402
from build_paths import paths_in  # noqa: E402
from processes import free_port, wait_until  # noqa: E402

FOLDER = None
MODELS = ["smollm2-135m-rank-lora.gguf", "smollm2-135m-rank-blocks-lora.gguf", "agent.gguf"]
TINY = ROOT / "tests/models/tiny-bpe.gguf"
REQUESTS = ROOT / "examples/passages.jsonl"
REQUEST = {"query": "how to split peas", "documents": ["Soak the peas.", "Bake the cake.", "Rain."]}
# Without the project's models, compressed.
MAX_BYTES = 30 << 20


def packages():
    return {path.name.split("_")[0]: path for path in sorted(FOLDER.glob("*.deb"))}


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], check=True, capture_output=True,
                          text=True).stdout.strip()


class Contents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.packages = packages()
        cls._folder = tempfile.TemporaryDirectory()
        cls.unpacked = {}
        for name, path in cls.packages.items():
            folder = pathlib.Path(cls._folder.name, name)
            subprocess.run(["dpkg-deb", "--raw-extract", path, folder], check=True)
            cls.unpacked[name] = folder

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def files(self, name):
        folder = self.unpacked[name]
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                      if not path.is_dir())

    def library_folder(self, name):
        (folder,) = self.unpacked[name].glob("usr/lib/*-linux-gnu")
        return folder

    def test_there_are_three_of_one_version(self):
        self.assertEqual(set(self.packages), {"rsd", "librsd0.1", "librsd-dev"})
        self.assertEqual(len({field(path, "Version") for path in self.packages.values()}), 1)
        for path in self.packages.values():
            self.assertRegex(field(path, "Maintainer"), r".+ <.+@.+>")
            self.assertEqual(field(path, "Architecture"), "amd64")

    def test_their_sizes(self):
        for name, path in self.packages.items():
            print(f"\n{path.name}: {path.stat().st_size / 2**20:.1f} MiB, installed "
                  f"{int(field(path, 'Installed-Size')) / 2**10:.1f} MiB")
        models = sum((ROOT / "models" / name).stat().st_size for name in MODELS)
        self.assertLess(self.packages["rsd"].stat().st_size - models, MAX_BYTES)

    def test_dependencies_are_those_of_the_binaries(self):
        depends = field(self.packages["rsd"], "Depends")
        for library in ("libc6", "libstdc++6", "libgomp1", "libcurl4", "libssl3", "libyaml-cpp0.7"):
            self.assertIn(library, depends)
        version = field(self.packages["rsd"], "Version")
        self.assertIn(f"rsd (= {version})", field(self.packages["librsd0.1"], "Depends"))
        self.assertIn(f"librsd0.1 (= {version})", field(self.packages["librsd-dev"], "Depends"))

    def test_program_models_unit_and_manual(self):
        files = self.files("rsd")
        for name in ("usr/bin/rsd", *(f"usr/share/rsd/models/{name}" for name in MODELS),
                     "usr/share/rsd/examples/passages.jsonl", "usr/share/doc/rsd/copyright",
                     "usr/share/doc/rsd/changelog.Debian.gz", "usr/share/man/man1/rsd.1.gz",
                     "usr/lib/systemd/system/rsd.service", "etc/default/rsd"):
            self.assertIn(name, files)
        for name in MODELS:
            self.assertEqual((self.unpacked["rsd"] / "usr/share/rsd/models" / name).read_bytes(),
                             (ROOT / "models" / name).read_bytes())

    def test_libraries_are_in_a_folder_of_rsds_own_with_kernels_for_old_cpus(self):
        names = {path.name for path in (self.library_folder("rsd") / "rsd").iterdir()}
        self.assertLessEqual({"libllama.so", "libggml.so", "libggml-base.so", "libggml-cpu-x64.so",
                              "libggml-cpu-haswell.so"}, names)
        own = [path.name for path in self.library_folder("rsd").iterdir()]
        self.assertEqual(own, ["rsd"])
        self.assertRegex(" ".join(path.name for path in self.library_folder("librsd0.1").iterdir()),
                         r"librsd\.so\.0\.1\b")

    def test_nothing_names_a_path_of_the_machine_that_built_it(self):
        for name, folder in self.unpacked.items():
            found = paths_in(path for path in folder.rglob("*")
                             if path.is_file() and not path.is_symlink())
            self.assertEqual(found, [], name)

    @unittest.skipUnless(shutil.which("lintian"), "not installed: lintian")
    def test_lintian_finds_no_errors(self):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error",
                               *self.packages.values()], capture_output=True, text=True)
        print("\n" + done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "not installed: systemd-analyze")
    def test_the_unit_is_valid_and_safe(self):
        text = (self.unpacked["rsd"] / "usr/lib/systemd/system/rsd.service").read_text()
        unit = pathlib.Path(self._folder.name, "rsd.service")
        self.assertIn("ExecStart=/usr/bin/rsd ", text)
        program = self.unpacked["rsd"] / "usr/bin/rsd"
        unit.write_text(text.replace("/usr/bin/rsd", str(program)))
        verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                                  capture_output=True, text=True)
        self.assertEqual((verified.returncode, verified.stderr), (0, ""))
        rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20",
                                "--no-pager", unit], capture_output=True, text=True)
        self.assertEqual(rated.returncode, 0, rated.stdout[-500:] + rated.stderr)


@unittest.skipIf(debian_root.missing(), f"no Debian in a folder: {debian_root.missing()}")
class Installed(unittest.TestCase):
    """In one Debian, in this order: installed, run, removed, purged."""

    @classmethod
    def setUpClass(cls):
        cls._exit = contextlib.ExitStack()
        cls.addClassCleanup(cls._exit.close)
        cls.debian = cls._exit.enter_context(
            debian_root.DebianRoot(ROOT / "build/debian/package-test"))
        cls.debian.run("apt-get", "update", "--quiet=2")
        cls.before = cls.debian.files()
        places = cls.debian.path / "tmp"
        for path in (*packages().values(), TINY, REQUESTS):
            shutil.copy(path, places)
        cls.names = [f"/tmp/{path.name}" for path in packages().values()]

    def test_1_apt_installs_it_with_what_it_needs(self):
        self.debian.run("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *self.names)
        self.assertRegex(self.debian.run("rsd", "--version").stdout, r"\d+\.\d+")
        missing = self.debian.run("sh", "-c", "ldd /usr/bin/rsd /usr/lib/*/rsd/*.so /usr/lib/*/librsd.so.0.1")
        self.assertNotIn("not found", missing.stdout)

    def test_2_it_inspects_and_ranks(self):
        inspected = self.debian.run("rsd", "model", "inspect", "--model", f"/tmp/{TINY.name}")
        self.assertIn("identifiers", inspected.stdout)
        lines = self.debian.run("rsd", "rank", "--requests", f"/tmp/{REQUESTS.name}", "--model",
                                f"/tmp/{TINY.name}").stdout.splitlines()
        self.assertEqual(len(lines), len(REQUESTS.read_text().splitlines()))
        self.assertTrue(all(json.loads(line)["ranking"] for line in lines))

    def test_3_default_models_lack_only_what_is_fetched(self):
        for name in ([], ["--model", "default-blocks"]):
            done = self.debian.run("rsd", "rank", "--requests", f"/tmp/{REQUESTS.name}", *name,
                                   check=False)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("rsd model fetch", done.stderr)
            self.assertNotIn("adapter", done.stderr)

    def test_4_it_serves(self):
        port = free_port()
        server = self.debian.start("rsd", "serve", "--port", port, "--model", f"/tmp/{TINY.name}",
                                   stderr=subprocess.DEVNULL)
        try:
            def status(path):
                with contextlib.suppress(OSError):
                    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).status
                self.assertIsNone(server.poll(), "the server is gone")
                return 0

            wait_until(lambda: status("/health") == 200)
            wait_until(lambda: status("/ready") == 200)
            call = urllib.request.Request(f"http://127.0.0.1:{port}/v1/rerank", json.dumps(REQUEST).encode(),
                                          {"Content-Type": "application/json"})
            results = json.load(urllib.request.urlopen(call, timeout=60))["results"]
            self.assertEqual(sorted(result["index"] for result in results), [0, 1, 2])
        finally:
            server.kill()
            server.wait()

    def test_5_removed_it_leaves_its_settings_and_purged_nothing(self):
        dpkg = self.debian.run("dpkg-query", "--listfiles", "rsd", "librsd0.1", "librsd-dev").stdout
        own = {line[1:] for line in dpkg.splitlines() if re.search(r"rsd", line)}
        self.assertIn("etc/default/rsd", own)
        (self.debian.path / "var/cache/rsd/models").mkdir(parents=True)
        self.debian.run("apt-get", "remove", "--quiet=2", "--yes", "rsd", "librsd0.1", "librsd-dev")
        self.assertEqual({path for path in own if (self.debian.path / path).is_file()},
                         {"etc/default/rsd"})
        self.debian.run("apt-get", "purge", "--quiet=2", "--yes", "--auto-remove", "rsd")
        left = {path for path in self.debian.files() - self.before if "rsd" in path}
        self.assertEqual(left, set())
        print(f"\nafter the purge, from packages that were needed: "
              f"{sorted(self.debian.files() - self.before) or 'nothing'}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    FOLDER = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
