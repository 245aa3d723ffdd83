#!/usr/bin/env python3
"""Finds skipped tests that nobody expects.

    tools/check_skips.py TESTS.xml EXPECTED

TESTS.xml is what `ctest --output-junit` writes, with the whole output of tests that passed
(--test-output-size-passed). EXPECTED has a line for each test that may skip, or skip a part of
itself: its name in ctest, which may have * in it, and the reason; # begins a comment. Exit code 1 if
another one skips, or if EXPECTED has a line without a reason.
"""

import fnmatch
import pathlib
import re
import sys
import xml.etree.ElementTree

# Of unittest and pytest, in the output of a test that passed all the same.
PARTLY = re.compile(r"\bskipped=(\d+)|\b(\d+) skipped\b")
MAX_REASONS = 3


def expected(path):
    """Patterns of names with their reasons."""
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, _, reason = line.partition(" ")
        if not reason.strip():
            raise ValueError(f"{path}:{number}: {name} has no reason")
        entries.append((name, reason.strip()))
    return entries


def reasons(output):
    """What a test says of its skips, as far as it does."""
    said = re.findall(r"skipped ['\"](.+?)['\"]\s*$|SKIPPED.*?: (.+)$|Skipped\n(.+)$", output, re.MULTILINE)
    return [next(filter(None, groups)) for groups in said][:MAX_REASONS]


def skipped(path):
    """By name of the test, how much of it and why."""
    found = {}
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        output = case.findtext("system-out") or ""
        counts = [int(first or second) for first, second in PARTLY.findall(output)]
        if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            how_much = "all of it"
        elif sum(counts) > 0:
            how_much = f"{sum(counts)} of its tests"
        else:
            continue
        said = "; ".join(reasons(output))
        found[case.get("name")] = how_much + (f": {said}" if said else "")
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    patterns = [name for name, _ in expected(pathlib.Path(sys.argv[2]))]
    unexpected = {
        name: why
        for name, why in skipped(sys.argv[1]).items()
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    for name, why in sorted(unexpected.items()):
        print(f"{name} skips {why}")
    if unexpected:
        print(f"{len(unexpected)} tests skip that {sys.argv[2]} does not list")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
