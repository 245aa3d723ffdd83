#!/usr/bin/env python3
"""The libraries neither print nor end the process, and define nothing outside namespace rsd.

usage: library_symbols_test.py LIBRARY.a...
"""

import re
import subprocess
import sys

# What prints, or ends the process, by the names that a linker sees.
FORBIDDEN = re.compile(
    r"(abort|_?exit|_Exit|quick_exit|perror|stdout|stderr"
    r"|(__)?v?f?printf(_chk)?|f?puts|f?putc|putchar|std::(cout|cerr|clog))(@.*)?$")
OURS = re.compile(r"\brsd::")
# What the compiler makes of templates and inline functions of others.
FROM_HEADERS = frozenset("wWvVu")


def symbols(library, *flags):
    """(type, demangled name) of each."""
    done = subprocess.run(["nm", "-C", *flags, library], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        match = re.match(r"[0-9a-f ]{16,17}([A-Za-z]) (.*)", line)
        if match:
            yield match[1], match[2]


def offences(library):
    for _, name in symbols(library, "--undefined-only"):
        if FORBIDDEN.match(name):
            yield f"{library} calls or uses {name}: the library never prints or ends the process"
    for kind, name in symbols(library, "--defined-only", "--extern-only"):
        if kind not in FROM_HEADERS and not OURS.search(name) and not name.startswith("DW.ref."):
            yield f"{library} defines {name}, outside namespace rsd"


def main(libraries):
    found = [line for library in libraries for line in offences(library)]
    print("\n".join(found) if found else f"{len(libraries)} libraries are clean")
    return 1 if found or not libraries else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
