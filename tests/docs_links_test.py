"""Links, anchors and file names in the documentation lead somewhere.

A name counts as a file of the project if it begins with one of its folders or modules, or if it is a
bare name with the ending of a source or a page: `docs/server.md`, `decode/run.h`, `history_test.cpp`.
"""

import fnmatch
import os
import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
NAME = re.compile(r"(?<![\w./~:<>{}$-])(?:\.\./)?[A-Za-z_][\w.*-]*(?:/[\w.*-]+)*")
ENDINGS = (".md", ".h", ".cpp", ".py", ".cmake", ".yaml")
# CHANGELOG.md names files that have moved since; docs/cli.md is generated from --help.
EXEMPT = {"CHANGELOG.md", "docs/cli.md"}
# A library, one of its headers, files that programs write, and examples of names.
FOREIGN = {"llama.cpp", "llama.h", "table.md", "tables.md", "foo.cpp", "foo_test.cpp"}


def files_of(root):
    """Paths of all files and folders below root, relative to it; no builds, no Python environments."""
    found = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in (".git", "build", "__pycache__") and
                      not pathlib.Path(folder, name, "pyvenv.cfg").exists()]
        found.update(pathlib.Path(folder, name).relative_to(root).as_posix()
                     for name in folders + files)
    return found


def anchors_of(text):
    """GitHub's names of a page's headings."""
    titles = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = files_of(root)
        self.names = {path.rsplit("/", 1)[-1] for path in self.files}
        self.folders = {path for path in self.files if "/" not in path and (root / path).is_dir()}
        self.modules = {path[4:] for path in self.files if re.fullmatch(r"src/\w+", path)}

    def has(self, path):
        """True for a file, a folder, a pattern that matches one, or a unit without its ending."""
        return path in self.files or any(fnmatch.filter(self.files, pattern)
                                         for pattern in (path, path + ".*"))

    def faults_of(self, page):
        text = (self.root / page).read_text(encoding="utf-8")
        yield from self.dead_links(page, text)
        for name in sorted(set(NAME.findall(LINK.sub("]", text)))):
            name = name.rstrip(".-*")
            if not self.is_known(page, name):
                yield f"{page}: no file {name}"

    def dead_links(self, page, text):
        for target in LINK.findall(FENCE.sub("", text)):
            if re.match(r"\w+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (self.root / page).parent / path if path else self.root / page
            if not file.exists():
                yield f"{page}: dead link {target}"
            elif anchor and anchor not in anchors_of(file.read_text(encoding="utf-8")):
                yield f"{page}: no heading for {target}"

    def is_known(self, page, name):
        first, slash, _ = name.partition("/")
        if not slash:
            return not name.endswith(ENDINGS) or name in self.names | FOREIGN
        beside = os.path.normpath(os.path.join(os.path.dirname(page), name))
        if first == "rsd":
            return not name.endswith(".h") or self.has("include/" + name)
        if first in self.modules and name.endswith(ENDINGS):
            places = (name, "include/rsd/" + name, "src/" + name, beside)
        elif first in self.folders - self.modules:
            places = (name, beside)
        else:
            return True
        return any(self.has(place) for place in places)


def faults(root):
    tree = Tree(root)
    pages = sorted(path for path in tree.files if path.endswith(".md") and path not in EXEMPT)
    return [fault for page in pages for fault in tree.faults_of(page)]


class Documentation(unittest.TestCase):
    def test_every_link_anchor_and_file_name_leads_somewhere(self):
        self.assertEqual(faults(ROOT), [])


class Checker(unittest.TestCase):
    def faults_of(self, text):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path in ("docs/a.md", "src/decode/run.cpp", "include/rsd/decode/run.h"):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text("# The title\n", encoding="utf-8")
            (root / "docs/page.md").write_text(text, encoding="utf-8")
            return [fault.removeprefix("docs/page.md: ") for fault in faults(root)]

    def test_what_exists_is_accepted(self):
        self.assertEqual(self.faults_of(
            "[x](a.md), [y](a.md#the-title), [z](https://a.b/c), docs/a.md, `rsd/decode/run.h`, "
            "decode/run.h, run.cpp, docs/*.md, src/decode/run, query/history, requests.jsonl"), [])

    def test_dead_links_and_anchors_are_found(self):
        self.assertEqual(self.faults_of("[x](b.md) [y](a.md#other) [z](#none)"),
                         ["dead link b.md", "no heading for a.md#other", "no heading for #none"])

    def test_names_of_files_that_are_gone_are_found(self):
        self.assertEqual(
            self.faults_of("docs/b.md, `rsd/decode/walk.h`, decode/walk.h; walk.cpp. docs/x*.md"),
            ["no file decode/walk.h", "no file docs/b.md", "no file docs/x*.md",
             "no file rsd/decode/walk.h", "no file walk.cpp"])


if __name__ == "__main__":
    unittest.main()
