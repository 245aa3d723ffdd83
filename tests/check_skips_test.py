"""Tests of tools/check_skips.py on small reports."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECKER = pathlib.Path(__file__).resolve().parent.parent / "tools" / "check_skips.py"
REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="t" tests="4" failures="0" disabled="0" skipped="1">
  <testcase name="passes" status="run"><system-out>Ran 3 tests&#10;OK</system-out></testcase>
  <testcase name="partly" status="run"><system-out>test_a ... skipped 'no curl'&#10;OK (skipped=2)</system-out></testcase>
  <testcase name="pytest" status="run"><system-out>4 passed, 1 skipped in 3 s</system-out></testcase>
  <testcase name="File.Whole" status="notrun"><skipped message="SKIP_RETURN_CODE"/><system-out>Skipped
root may write everywhere
</system-out></testcase>
</testsuite>
"""


def check(expected, report=REPORT):
    """Exit code, standard output and error."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, name) for name in ("tests.xml", "expected.txt")]
        for path, text in zip(paths, (report, expected)):
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, CHECKER, *paths], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class CheckSkips(unittest.TestCase):
    def test_skips_that_nobody_expects_are_named_with_their_reasons(self):
        code, out, _ = check("# nothing\n")
        self.assertEqual(code, 1)
        self.assertIn("File.Whole skips all of it: root may write everywhere", out)
        self.assertIn("partly skips 2 of its tests: no curl", out)
        self.assertIn("pytest skips 1 of its tests", out)
        self.assertNotIn("passes", out)

    def test_skips_that_are_listed_are_no_failure(self):
        expected = "File.*   it runs as root # see there\npartly no curl\npytest  no model\n"
        self.assertEqual(check(expected), (0, "", ""))

    def test_a_list_without_a_reason_is_refused(self):
        code, _, error = check("File.*\npartly no curl\npytest x\n")
        self.assertEqual(code, 1)
        self.assertIn("File.* has no reason", error)

    def test_a_test_that_could_not_run_counts(self):
        report = '<testsuite><testcase name="gone" status="notrun"/></testsuite>'
        self.assertEqual(check("", report)[0], 1)


if __name__ == "__main__":
    unittest.main()
