#!/usr/bin/env python3
"""Checks that every #include follows the arrows of ARCHITECTURE.md.

usage: check_layers.py [ROOT]

Prints `file:line: what is wrong` for each offence and exits with 1 if there is one. The rules are
the tables below; they hold for tests too. What they say:

- A module includes its own headers and those of the modules below it (MODULES), private ones too.
- Folders outside of the modules (ROOTS: programs, tests, examples) may include the modules' public
  headers, and the files of their own folder. All tests, benchmarks and fuzz targets may use
  tests/support. The programs named in SHARED_MODULES may include these modules' private headers.
  Arrows lead from root to root (WIRED): cli includes the server's headers, never the reverse; the
  examples include the installed header of the bindings; the fuzz targets call server and cli. Some
  roots have layers of their own (FOLDERS).
- A third-party library may be included only where USERS allows it. A public header neither includes
  one nor uses its names (NAMES), so that embedders of rsd need no other headers.
- A public header includes only public headers: private ones are not installed.
- src/CMakeLists.txt links what is included and nothing above: the LINKS of a module are modules
  below it, and they lead to every module that its files include. Its tests may rely on more.
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
    "json": ["core"],
    "rank": ["core"],
    "prompt": ["rank"],
    "decode": ["prompt"],
    "window": ["decode"],
    "llm": ["decode", "json"],
    "agent": ["decode"],
    "trace": ["decode", "json"],
    "data": ["decode", "json"],
    "remote": ["decode", "json"],
    "train": ["agent", "data", "trace"],
    "eval": ["data"],
    "models": ["llm", "data"],
    "rpc": ["llm"],
    "ranker": ["window", "data", "agent", "llm", "models", "remote"],
    "jobs": ["ranker", "train", "eval"],
    # The headers that lie in include/rsd itself, where users start.
    "front": ["ranker"],
}

# The folders at the root: programs that connect the modules, and other folders outside of the
# modules. They may include every module's public headers and their own files, and nothing includes
# them, except for SHARED_HELPERS, which the tests of a module, the benchmarks and the fuzz targets may
# use, the server, which the program `rsd` wires to an LLM, the C header, which examples use, and the
# command line, which a fuzz target parses (WIRED).
ROOTS = ["cli", "server", "bindings", "tests", "benchmarks", "fuzz", "examples"]
WIRED = {"cli": ["server"], "examples": ["bindings"], "fuzz": ["server", "cli"]}
SHARED_HELPERS = ("tests", "support")
# root: its folders, each with the other folders that its files may include. The files above them,
# in the root itself, may include all of them, and they none of these.
FOLDERS = {"server": {"http": [], "api": ["http"]}}
# Private headers that programs may include: a library's types are in what they give, so that they
# can't be public; and the readers of foreign bytes, which fuzz targets call directly.
SHARED_MODULES = {"json": ["server", "fuzz"], "trace": ["server"], "llm": ["fuzz"],
                  "remote": ["fuzz"]}

C_HEADER = pathlib.PurePosixPath("bindings/c/rsd.h")

# library: its headers, as they are written in an #include.
LIBRARIES = {
    "llama.cpp": ["llama.h", "llama-cpp.h"],
    "ggml": ["ggml*.h", "gguf.h"],
    "yaml-cpp": ["yaml-cpp/*"],
    "nlohmann-json": ["nlohmann/*"],
    "simdjson": ["simdjson.h"],
    "CLI11": ["CLI/*"],
    "spdlog": ["spdlog/*"],
    "openssl": ["openssl/*"],
    "curl": ["curl/*"],
    "cpp-httplib": ["httplib.h"],
    "prometheus-cpp": ["prometheus/*"],
    "GoogleTest": ["gtest/*", "gmock/*"],
    "Google Benchmark": ["benchmark/*"],
    "the C library": ["stddef.h", "stdio.h"],
    "POSIX": ["unistd.h", "fcntl.h", "dlfcn.h", "fnmatch.h", "poll.h", "pthread.h", "signal.h", "sched.h",
              "spawn.h", "cpuid.h", "sys/*.h", "arpa/*.h", "netinet/*.h", "netdb.h"],
}

# library: the modules and roots whose private files may include it. TESTS stands for the tests,
# wherever they lie.
TESTS = "<tests>"
USERS = {
    "llama.cpp": ["llm"],
    "ggml": ["llm", "agent"],
    "yaml-cpp": ["prompt"],
    "nlohmann-json": ["json", "llm", "trace", "data", "train", "eval", "remote", "models", "ranker", "server",
                      "benchmarks", TESTS],
    "simdjson": ["remote"],
    "CLI11": ["cli", "benchmarks", "fuzz"],
    "spdlog": ["cli"],
    "openssl": ["models", "server"],
    "curl": ["remote"],
    "cpp-httplib": ["server", TESTS],
    "prometheus-cpp": ["server"],
    "GoogleTest": [TESTS],
    "Google Benchmark": ["benchmarks"],
    "the C library": ["bindings", "examples"],
    "POSIX": ["core", "data", "llm", "models", "remote", "rpc", "cli", "server", "fuzz", TESTS],
}

# library: what its names look like, in code. A forward declaration needs no include, but gives it
# away all the same. Libraries in a namespace are known by that, those in C by their prefixes.
NAMES = {
    "llama.cpp": r"llama_\w+",
    "ggml": r"(?:ggml|gguf)_\w+",
    "yaml-cpp": r"YAML\s*::|namespace\s+YAML\b",
    "nlohmann-json": r"nlohmann\s*::|namespace\s+nlohmann\b",
    "simdjson": r"simdjson\s*::|namespace\s+simdjson\b",
    "CLI11": r"CLI\s*::|namespace\s+CLI\b",
    "spdlog": r"spdlog\s*::|namespace\s+spdlog\b",
    "openssl": r"(?:EVP|SSL|X509)_\w+|(?:evp|ssl|x509)_\w*st\b",
    "curl": r"CURL\w*|curl_\w+",
    "cpp-httplib": r"httplib\s*::|namespace\s+httplib\b",
    "prometheus-cpp": r"prometheus\s*::|namespace\s+prometheus\b",
}

MODULE_LIST = pathlib.PurePosixPath("src/CMakeLists.txt")

SOURCE_SUFFIXES = {".h", ".hpp", ".c", ".cc", ".cpp"}
INCLUDE = re.compile(r'\s*#\s*include\s*(?:<(?P<angled>[^>]+)>|"(?P<quoted>[^"]+)"|(?P<other>.*))')
# A comment, or a string or character literal: neither begins within the other.
COMMENT_OR_LITERAL = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)|R"(?P<mark>[^\s()\\]*)\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
MODULE_CALL = re.compile(r"\brsd_add_module\s*\((?P<arguments>[^)]*)\)")
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
            self.layer = parts[2] if len(parts) > 3 else "front"
        else:
            self.layer = parts[1] if parts[0] == "src" else parts[0]
        folders = FOLDERS.get(self.layer, {})
        self.folder = parts[1] if len(parts) > 2 and parts[1] in folders else None
        self.is_test = parts[0] == "tests" or path.stem.endswith("_test")
        self.is_shared_helper = parts[:2] == SHARED_HELPERS

    def may_include_layer_of(self, header):
        if header.layer == self.layer:
            return True
        if header.is_shared_helper and (self.is_test or self.layer in ("benchmarks", "fuzz")):
            return True
        if self.layer in ROOTS:
            return header.layer in MODULES or header.layer in WIRED.get(self.layer, [])
        return header.layer in reachable(self.layer)

    def may_include_folder_of(self, header):
        """Whether the folder of a header in the same layer is within reach."""
        if self.folder is None or header.layer != self.layer or header.folder == self.folder:
            return True
        return header.folder in FOLDERS[self.layer][self.folder]

    def may_include_private(self, header):
        """Whether a private header is within reach, given that its layer is."""
        if self.layer in SHARED_MODULES.get(header.layer, []):
            return True
        return not self.is_public and (self.layer in MODULES or header.layer not in MODULES)

    def may_include_library(self, library):
        users = USERS[library]
        return not self.is_public and (self.layer in users or (self.is_test and TESTS in users))


def library_of(header):
    for library, patterns in LIBRARIES.items():
        if any(fnmatch.fnmatchcase(header, pattern) for pattern in patterns):
            return library
    return None


def own_header(root, source, header):
    """The SourceFile that the include means, whether it exists or not; None when it is not ours."""
    path = pathlib.PurePosixPath(header)
    if path.parts[0] == "rsd" and len(path.parts) > 1:
        return SourceFile("include" / path)
    if header == C_HEADER.name:  # as it is installed
        return SourceFile(C_HEADER)
    if len(path.parts) > 1 and path.parts[0] in MODULES:
        return SourceFile("src" / path)
    if len(path.parts) > 1 and path.parts[0] in ROOTS:
        return SourceFile(path)
    own_folder = pathlib.PurePosixPath(source.layer)  # of a program
    for folder in (source.path.parent, own_folder, pathlib.PurePosixPath("tests")):
        target = pathlib.PurePosixPath(os.path.normpath(folder / path))
        if ".." not in target.parts and (root / target).is_file():
            return SourceFile(target)
    return None


def offence(root, source, header, is_quoted):
    """What is wrong with the include, or None."""
    own = own_header(root, source, header)
    if own:
        if not source.may_include_layer_of(own):
            return f"{source.layer} must not include {own.layer} ({header})"
        if not source.may_include_folder_of(own):
            above = f"{own.layer}/{own.folder}" if own.folder else own.layer
            return f"{source.layer}/{source.folder} must not include {above} ({header})"
        if own.is_public or source.may_include_private(own):
            return None
        where = "a public header" if source.is_public else source.layer
        return f"{where} must not include a private header ({header})"
    library = library_of(header)
    if library:
        if source.may_include_library(library):
            return None
        where = "a public header" if source.is_public else source.layer
        return f"{where} must not include {library} ({header})"
    if not is_quoted and STANDARD_HEADER.fullmatch(header):
        return None
    return f"{header} is unknown; if it may be used, add it to the tables of tools/check_layers.py"


def blanked(text, also_literals=False):
    """`text` without its comments, and literals if wanted, with the same lines."""
    def blank(match):
        if match["comment"] is None and not also_literals:
            return match[0]
        return " " + "\n" * match[0].count("\n")
    return COMMENT_OR_LITERAL.sub(blank, text)


def includes_in(text):
    """(line, header, match of INCLUDE) for each; the header is None where a macro stands for it."""
    for number, line in enumerate(blanked(text).splitlines(), start=1):
        if match := INCLUDE.match(line):
            yield number, match["angled"] or match["quoted"], match


def library_names_in(text):
    """(line, library, name) for each name of a library."""
    for number, line in enumerate(blanked(text, also_literals=True).splitlines(), start=1):
        if INCLUDE.match(line):
            continue
        for library, pattern in NAMES.items():
            if match := re.search(rf"(?<!\w)(?:{pattern})", line):
                yield number, library, match[0]


def offences_in(root, path):
    """(line, what is wrong) for each offence of one file."""
    source = SourceFile(path)
    if source.layer not in MODULES and source.layer not in ROOTS:
        yield 1, f"{source.layer} is no module; add it to tools/check_layers.py and ARCHITECTURE.md"
        return
    text = (root / path).read_text(encoding="utf-8")
    for number, header, match in includes_in(text):
        if header is None:
            yield number, f"an include that can't be checked: {match['other'].strip()}"
        elif what := offence(root, source, header, match["quoted"] is not None):
            yield number, what
    if source.is_public:
        for number, library, name in library_names_in(text):
            yield number, f"a public header must not name {library} ({name})"


def modules_linked(text):
    """{module: (line, [modules in its LINKS])} of src/CMakeLists.txt."""
    code = re.sub(r"#[^\n]*", "", text)
    found = {}
    for call in MODULE_CALL.finditer(code):
        name, *arguments = call["arguments"].split()
        links, keyword = [], None
        for argument in arguments:
            if re.fullmatch("[A-Z_]+", argument):
                keyword = argument
            elif keyword == "LINKS":
                links.append(argument.removeprefix("rsd::"))
        found[name] = code.count("\n", 0, call.start()) + 1, links
    return found


def link_offences(root, files):
    """(file, line, what is wrong) where src/CMakeLists.txt disagrees with MODULES or #includes."""
    if not (root / MODULE_LIST).is_file():
        return
    linked = modules_linked((root / MODULE_LIST).read_text(encoding="utf-8"))

    def closure(module):
        found = {module}
        for below in linked.get(module, (0, []))[1]:
            # A module that links itself or one above is reported below; here it must end.
            if below in MODULES and below != module and below in reachable(module):
                found |= closure(below)
        return found

    for module, (number, links) in linked.items():
        if module not in MODULES:
            yield MODULE_LIST, number, f"{module} is no module; add it to tools/check_layers.py"
            continue
        for link in links:
            if link == module or link not in reachable(module):
                yield MODULE_LIST, number, f"{module} must not link {link}"
    for path in files:
        source = SourceFile(path)
        if source.layer not in MODULES or source.is_test or source.layer == "front":
            continue
        for number, header, _ in includes_in((root / path).read_text(encoding="utf-8")):
            own = header and own_header(root, source, header)
            if own and own.layer in reachable(source.layer) - closure(source.layer):
                yield path, number, (f"{source.layer} includes {own.layer} ({header}), "
                                     f"its LINKS in {MODULE_LIST} do not lead there")


def source_files(root):
    for top in ["include/rsd", "src", *ROOTS]:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SOURCE_SUFFIXES and path.is_file():
                yield pathlib.PurePosixPath(path.relative_to(root))


def check(root):
    """All offences under `root`, as printable lines, and the number of files seen."""
    files = list(source_files(root))
    found = [(path, number, what) for path in files for number, what in offences_in(root, path)]
    found += link_offences(root, files)
    return [f"{path}:{number}: {what}" for path, number, what in found], len(files)


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
