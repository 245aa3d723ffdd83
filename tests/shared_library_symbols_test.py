#!/usr/bin/env python3
"""The shared library exports the functions that its header declares, all of one version, and
nothing else.

usage: shared_library_symbols_test.py LIBRARY.so HEADER.h
"""

import re
import subprocess
import sys

DECLARED = re.compile(r"^RSD_API\b[^;(]*?\b(rsd_\w+)\(", re.MULTILINE)
VERSION = "RSD_0.1"


def exported(library):
    """The names, each with its version: "rsd_rank@@RSD_0.1"."""
    done = subprocess.run(["nm", "--dynamic", "--defined-only", library], capture_output=True,
                          text=True, check=True)
    names = [line.split() for line in done.stdout.splitlines()]
    return {name for _, kind, name in names if name != VERSION}


def main(library, header):
    with open(header, encoding="utf-8") as file:
        declared = {f"{name}@@{VERSION}" for name in DECLARED.findall(file.read())}
    found = exported(library)
    for name in sorted(found - declared):
        print(f"{library} exports {name}, which {header} doesn't declare")
    for name in sorted(declared - found):
        print(f"{library} doesn't export {name}, which {header} declares")
    print(f"{len(found)} functions are exported")
    return 0 if found == declared and found else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
