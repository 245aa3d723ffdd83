"""The bill of materials of a build: usage: sbom_test.py RSD"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "make_sbom.py"
RSD = ""


def run(*arguments):
    return subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, check=False)


class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = run(RSD)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.text = done.stdout
        cls.bill = json.loads(done.stdout)
        cls.by_name = {each["name"]: each for each in cls.bill["components"]}

    def test_has_what_cyclonedx_asks_for(self):
        self.assertEqual((self.bill["bomFormat"], self.bill["specVersion"]), ("CycloneDX", "1.5"))
        self.assertRegex(self.bill["serialNumber"], r"^urn:uuid:[0-9a-f-]{36}$")
        refs = [each["bom-ref"] for each in self.bill["components"]]
        self.assertEqual(len(refs), len(set(refs)))
        for each in self.bill["components"]:
            self.assertTrue(each["name"] and each["version"] and each["type"], each)
            self.assertRegex(each["purl"], r"^pkg:(pypi|deb/debian|generic)/[\w./+~%-]+@[\w.~%-]+$")
        [dependencies] = self.bill["dependencies"]
        self.assertEqual(sorted(dependencies["dependsOn"]), sorted(refs))

    def test_names_every_library_that_the_program_loads(self):
        lines = subprocess.run(["ldd", RSD], capture_output=True, text=True, check=True).stdout
        paths = [os.path.realpath(path) for path in re.findall(r"=> (/\S+)", lines)]
        self.assertGreater(len(paths), 5)
        for path in paths:
            owners = [subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True, check=False).stdout
                      for name in (path, path.removeprefix("/usr"))]  # fmt: skip
            package = next(filter(None, owners)).split(":")[0]
            self.assertIn(package, self.by_name, path)

    def test_has_the_hashes_that_downloads_are_checked_against(self):
        def sha256(name):
            return self.by_name[name]["hashes"][0]["content"]

        self.assertIn(sha256("llama.cpp"), (ROOT / "tools/fetch_llama.sh").read_text())
        self.assertIn(sha256("SmolLM2-135M-Instruct"), (ROOT / "src/models/base_model.cpp").read_text())
        agent = hashlib.sha256((ROOT / "models/agent.gguf").read_bytes()).hexdigest()
        self.assertEqual(sha256("agent.gguf"), agent)

    def test_names_every_model_that_is_shipped(self):
        shipped = re.findall(r"models/([\w.-]+\.gguf)", (ROOT / "cmake/Shipped.cmake").read_text())
        self.assertGreaterEqual(len(shipped), 3)
        for name in shipped:
            self.assertIn(name, self.by_name)

    def test_is_the_same_each_time(self):
        self.assertEqual(run(RSD).stdout, self.text)

    def test_a_library_of_no_package_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            source, library, user = (pathlib.Path(folder, name) for name in ("a.c", "libstray.so", "user.so"))
            source.write_text("int f(void) { return 1; }")
            subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
            subprocess.run(["cc", "-shared", "-fPIC", "-o", user, source, f"-L{folder}", "-Wl,--no-as-needed", "-lstray",
                            f"-Wl,-rpath,{folder}"], check=True)  # fmt: skip
            done = run(RSD, "--lib", user)
        self.assertEqual(done.returncode, 1)
        self.assertIn("libstray.so belongs to no package", done.stderr)


if __name__ == "__main__":
    RSD = sys.argv.pop(1)
    unittest.main()
