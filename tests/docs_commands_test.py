"""Commands in the documentation exist and have only flags that exist.

Commands are the indented lines and the shell blocks of the pages: `rsd SUBCOMMAND`, whose flags
docs/cli.md lists, `./dev COMMAND`, and the scripts below benchmarks/ and tools/.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", "docs/**/*.md", "models/*.md", "examples/*.md",
         "benchmarks/**/*.md", "tools/**/*.md"]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:\A|\n *\n)((?: {4,}\S.*(?:\n|\Z))+)")
FLAG = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")
RSD = re.compile(r"(?:^ *|[;|] |do )(?:\S*/)?rsd (model \w+|prompt \w+|[a-z-]+)\b(.*)")
SCRIPT = re.compile(r"((?:benchmarks|tools)/[\w/]+\.py)\b(.*)")
DEV = re.compile(r"\./dev ([\w-]+)")


def sections_of(cli):
    """The text of docs/cli.md by command; "" has the flags of all commands."""
    parts = re.split(r"^## rsd ?(.*)$", cli, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def commands_of(text):
    text = text.replace("\\\n", " ")
    lines = "".join(INDENTED.findall(text) + BLOCK.findall(text)).splitlines()
    return [re.sub(r"\s#.*", "", line) for line in lines]


def unknown_flags(flags, known):
    return [flag for flag in FLAG.findall(flags)
            if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", known)]


class Programs:
    def __init__(self, root):
        self.root = root
        self.sections = sections_of((root / "docs/cli.md").read_text(encoding="utf-8"))
        self.dev = (root / "dev").read_text(encoding="utf-8")

    def faults_of(self, line):
        if match := SCRIPT.search(line):
            return self.faults_of_script(*match.groups())
        if match := RSD.search(line):
            name, flags = match.groups()
            if name not in self.sections:
                return [f"no command rsd {name}"]
            known = self.sections[name] + self.sections[""]
            return [f"rsd {name} has no {flag}" for flag in unknown_flags(flags, known)]
        return [f"no command ./dev {name}" for name in DEV.findall(line)
                if not re.search(rf"^  {re.escape(name)}\b", self.dev, re.MULTILINE)]

    def faults_of_script(self, path, flags):
        folder = (self.root / path).parent
        if not (self.root / path).exists():
            return [f"no script {path}"]
        known = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
        own = flags.split(" -- ")[0]  # what follows is for rsd
        return [f"{path} has no {flag}" for flag in unknown_flags(own, known)]


class Documentation(unittest.TestCase):
    def test_every_command_exists_with_its_flags(self):
        programs = Programs(ROOT)
        pages = sorted({page for pattern in PAGES for page in ROOT.glob(pattern)} -
                       {ROOT / "docs/cli.md"})
        lines = [(page.name, line) for page in pages
                 for line in commands_of(page.read_text(encoding="utf-8"))]
        self.assertGreater(sum("rsd " in line for _, line in lines), 20)
        self.assertEqual([], [f"{page}: {fault}" for page, line in lines
                              for fault in programs.faults_of(line)])


class Checker(unittest.TestCase):
    def faults_of(self, text):
        programs = Programs(ROOT)
        return [fault for line in commands_of(text) for fault in programs.faults_of(line)]

    def test_commands_that_exist_are_accepted(self):
        self.assertEqual(self.faults_of(
            "    build/release/rsd rank --requests a.jsonl \\\n        --budget 3  # not --this\n"
            "    python3 benchmarks/deadlines.py --busy 1\n    ./dev test --anything\n"
            "rsd invent --in-prose\n    and goes on"), [])

    def test_unknown_flags_and_commands_are_found(self):
        self.assertEqual(self.faults_of(
            "    rsd rank --request a.jsonl\n    rsd invent\n    rsd model invent\n"
            "    benchmarks/deadlines.py --buzy 1\n    tools/none.py\n    ./dev invent\n"
            "\n```sh\nrsd serve --prot 1\n```\n"),
            ["rsd rank has no --request", "no command rsd invent", "no command rsd model invent",
             "benchmarks/deadlines.py has no --buzy", "no script tools/none.py",
             "no command ./dev invent", "rsd serve has no --prot"])


if __name__ == "__main__":
    unittest.main()
