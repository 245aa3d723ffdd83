"""The declarations in _library.py are those of rsd.h."""

import pathlib
import re
import unittest

from rsd import _library

HEADER = pathlib.Path(__file__).resolve().parents[2] / "c/rsd.h"
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
STRUCT = re.compile(r"typedef struct (rsd_\w+) \{(.*?)\} \1;", re.DOTALL)
FUNCTION = re.compile(r"^RSD_API (?:RSD_MUST_CHECK )?([\w ]+?[ *]+)(rsd_\w+)\((.*?)\);",
                      re.MULTILINE | re.DOTALL)
# Not needed in Python: iter_many does the same with jobs.
LEFT_OUT = {"rsd_rank", "rsd_rank_many"}


def members_of(body):
    names = []
    for declaration in filter(str.strip, body.split(";")):
        names += [re.search(r"(\w+)\s*$", part).group(1) for part in declaration.split(",")]
    return names


class Declarations(unittest.TestCase):
    def setUp(self):
        self.header = COMMENT.sub("", HEADER.read_text(encoding="utf-8"))

    def test_structs_have_the_headers_members(self):
        structs = dict(STRUCT.findall(self.header))
        self.assertEqual(set(_library.STRUCTS), set(structs) - {"rsd_batch"})
        for name, struct in _library.STRUCTS.items():
            self.assertEqual([member for member, _ in struct._fields_], members_of(structs[name]))

    def test_functions_have_the_headers_arguments(self):
        functions = {name: (result.strip(), arguments)
                     for result, name, arguments in FUNCTION.findall(self.header)}
        self.assertEqual(set(_library.FUNCTIONS), set(functions) - LEFT_OUT)
        for name, (result, *arguments) in _library.FUNCTIONS.items():
            declared_result, declared = functions[name]
            n_declared = 0 if declared.strip() == "void" else declared.count(",") + 1
            self.assertEqual(len(arguments), n_declared, name)
            self.assertEqual(result is None, declared_result == "void", name)


if __name__ == "__main__":
    unittest.main()
