#!/usr/bin/env python3
"""Checks that every #include follows the arrows of ARCHITECTURE.md.

usage: check_layers.py [ROOT]

Prints `file:line: what is wrong` for each offence and exits with 1 if there is one. The rules are
the tables below; they hold for tests too. What they say:

- A module includes its own headers and those of the modules below it (MODULES).
- A library of others is included only where USERS allows it, and never in a public header, so that
  whoever embeds rsd needs no header but ours.
- A public header includes only public headers: private ones are not installed.
- An example includes only public headers, as its readers would.
- An include that is neither ours nor in a table is an error: extend the table, deliberately.
"""

import fnmatch
import os
import pathlib
import re
import sys

# module: the modules it builds upon directly; what those build upon is allowed as well.
MODULES = {
    "core": [],
    "rank": ["core"],
    "prompt": ["rank"],
    "decode": ["prompt"],
    "llm": ["decode"],
    "agent": ["decode"],
    "data": ["rank"],
    "remote": ["decode"],
    "train": ["agent", "data"],
    "eval": ["data", "decode"],
}

# The folders at the root: programs that wire the modules together, and what stands beside them.
# They may include every module and their own files, and nothing includes them, but for `tests`,
# whose helpers the tests of a module and the benchmarks may use.
ROOTS = ["cli", "server", "bindings", "tests", "benchmarks", "examples"]

# library: its headers, as they are written in an #include.
LIBRARIES = {
    "llama.cpp": ["llama.h", "llama-cpp.h"],
    "ggml": ["ggml*.h", "gguf.h"],
    "yaml-cpp": ["yaml-cpp/*"],
    "nlohmann-json": ["nlohmann/*"],
    "CLI11": ["CLI/*"],
    "spdlog": ["spdlog/*"],
    "openssl": ["openssl/*"],
    "curl": ["curl/*"],
    "cpp-httplib": ["httplib.h"],
    "prometheus-cpp": ["prometheus/*"],
    "GoogleTest": ["gtest/*", "gmock/*"],
    "Google Benchmark": ["benchmark/*"],
    "POSIX": ["unistd.h", "fcntl.h", "dlfcn.h", "poll.h", "pthread.h", "signal.h", "sched.h",
              "spawn.h", "cpuid.h", "sys/*.h"],
}

# library: the modules and roots whose private files may include it. TESTS stands for the tests,
# wherever they lie.
TESTS = "<tests>"
USERS = {
    "llama.cpp": ["llm"],
    "ggml": ["llm", "agent", "train"],
    "yaml-cpp": ["prompt", "cli", "server"],
    "nlohmann-json": ["data", "eval", "remote", "cli", "server", TESTS],
    "CLI11": ["cli", "server"],
    "spdlog": ["cli", "server"],
    "openssl": ["cli", "server"],
    "curl": ["remote", "cli"],
    "cpp-httplib": ["server", TESTS],
    "prometheus-cpp": ["server"],
    "GoogleTest": [TESTS],
    "Google Benchmark": ["benchmarks"],
    "POSIX": [*MODULES, *ROOTS],
}

SOURCE_SUFFIXES = {".h", ".hpp", ".c", ".cc", ".cpp"}
INCLUDE = re.compile(r'\s*#\s*include\s*(?:<(?P<angled>[^>]+)>|"(?P<quoted>[^"]+)"|(?P<other>.*))')
STANDARD_HEADER = re.compile(r"[a-z_0-9]+")  # <vector>; those with a dot are C's or a library's


def reachable(module):
    """The module itself and all it may include."""
    found = {module}
    for below in MODULES[module]:
        found |= reachable(below)
    return found


class SourceFile:
    """A file's place in the layers, from its path relative to the root."""

    def __init__(self, path):
        self.path = path
        parts = path.parts
        self.is_public = parts[:2] == ("include", "rsd")
        if self.is_public:
            self.layer = parts[2]
        else:
            self.layer = parts[1] if parts[0] == "src" else parts[0]
        self.is_test = parts[0] == "tests" or path.stem.endswith("_test")

    def may_include_layer(self, layer):
        if layer == self.layer:
            return True
        if layer == "tests" and (self.is_test or self.layer == "benchmarks"):
            return True
        if self.layer in ROOTS:
            return layer in MODULES
        return layer in reachable(self.layer)

    def may_include_library(self, library):
        users = USERS[library]
        return not self.is_public and (self.layer in users or (self.is_test and TESTS in users))


def library_of(header):
    for library, patterns in LIBRARIES.items():
        if any(fnmatch.fnmatchcase(header, pattern) for pattern in patterns):
            return library
    return None


def own_header(root, source, header):
    """(layer, is public) of a header of ours, None when it is not ours."""
    parts = pathlib.PurePosixPath(header).parts
    if parts[0] == "rsd" and len(parts) > 2:
        return parts[1], True
    if len(parts) > 1 and parts[0] in [*MODULES, *ROOTS]:
        return parts[0], False
    for folder in (source.path.parent, pathlib.PurePosixPath("tests")):
        target = pathlib.PurePosixPath(os.path.normpath(folder / header))
        if ".." not in target.parts and (root / target).is_file():
            found = SourceFile(target)
            return found.layer, found.is_public
    return None


def offence(root, source, header, is_quoted):
    """What is wrong with the include, or None."""
    own = own_header(root, source, header)
    if own:
        layer, is_public = own
        if not source.may_include_layer(layer):
            return f"{source.layer} must not include {layer} ({header})"
        if source.is_public and not is_public:
            return f"a public header includes a private one ({header})"
        if source.layer == "examples" and layer != "examples" and not is_public:
            return f"an example includes a private header ({header})"
        return None
    library = library_of(header)
    if library:
        if source.may_include_library(library):
            return None
        where = "a public header" if source.is_public else source.layer
        return f"{where} must not include {library} ({header})"
    if not is_quoted and STANDARD_HEADER.fullmatch(header):
        return None
    return f"{header} is unknown; if it may be used, add it to the tables of tools/check_layers.py"


def offences_in(root, path):
    """(line, what is wrong) for each offence of one file."""
    source = SourceFile(path)
    if source.layer not in MODULES and source.layer not in ROOTS:
        yield 1, f"{source.layer} is no module; add it to tools/check_layers.py and ARCHITECTURE.md"
        return
    text = (root / path).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match["angled"] or match["quoted"]
        if header is None:
            yield number, f"an include that can't be checked: {match['other'].strip()}"
        elif what := offence(root, source, header, match["quoted"] is not None):
            yield number, what


def source_files(root):
    for top in ["include/rsd", "src", *ROOTS]:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SOURCE_SUFFIXES and path.is_file():
                yield pathlib.PurePosixPath(path.relative_to(root))


def check(root):
    """All offences under `root`, as printable lines, and the number of files seen."""
    files = list(source_files(root))
    lines = [f"{path}:{number}: {what}"
             for path in files for number, what in offences_in(root, path)]
    return lines, len(files)


def main(arguments):
    if len(arguments) > 1:
        print("usage: check_layers.py [ROOT]", file=sys.stderr)
        return 2
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).resolve().parents[1])
    lines, n_files = check(root)
    for line in lines:
        print(line)
    if n_files == 0:
        print(f"check_layers: there are no sources under {root}", file=sys.stderr)
        return 2
    print(f"check_layers: {n_files} files, {len(lines)} offences", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
