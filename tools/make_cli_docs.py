#!/usr/bin/env python3
"""Makes docs/cli.md from the help texts of the program.

usage: make_cli_docs.py RSD > docs/cli.md
       make_cli_docs.py RSD --check docs/cli.md    # exits with 1 where the page is another
"""

import difflib
import os
import pathlib
import re
import subprocess
import sys

HEAD = """# The command line

Made by `tools/make_cli_docs.py build/release/rsd > docs/cli.md` from `rsd COMMAND --help`; a test
compares them. README.md introduces the commands, this page has every flag. What holds for all:

- Results go to standard output, messages to standard error.
- `--config FILE` takes options from a TOML file; flags count more.
- Exit codes: 0 success, 2 usage, 3 something has to be installed first, 4 a file or a model is missing,
  5 invalid input, 6 failure at run time, 7 some requests failed.
"""


def help_of(rsd, command):
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run([rsd, *command, "--help"], capture_output=True, text=True, check=True,
                          env=environment)
    return done.stdout.rstrip() + "\n"


def subcommands(text):
    """The names below "Commands:" (any capitals)."""
    part = re.split(r"^(?:SUB)?COMMANDS:?\s*$", text, flags=re.MULTILINE | re.IGNORECASE)
    if len(part) < 2:
        return []
    return re.findall(r"^  ([a-z][a-z-]*)(?:\s|$)", part[1], flags=re.MULTILINE)


def sections(rsd, command=()):
    text = help_of(rsd, command)
    yield f"\n## {' '.join(['rsd', *command])}\n\n```text\n{text}```\n"
    for name in subcommands(text):
        yield from sections(rsd, (*command, name))


def main(arguments):
    if len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--check"):
        print(__doc__, file=sys.stderr)
        return 2
    page = HEAD + "".join(sections(arguments[0]))
    if len(arguments) == 1:
        sys.stdout.write(page)
        return 0
    written = pathlib.Path(arguments[2]).read_text(encoding="utf-8")
    if written == page:
        return 0
    print("".join(difflib.unified_diff(written.splitlines(True), page.splitlines(True),
                                       arguments[2], "rsd --help")))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
