#!/usr/bin/env python3
"""Writes a CMake project of the C++ programs in the documentation, one target a code block.

usage: docs_programs.py FOLDER PAGE.md...

A block with a main() is a whole program; any other block becomes the inside of main() in a program
that includes <rsd/ranker.h> and <iostream>. They are run in a folder with a file model.gguf.
"""

import pathlib
import re
import sys

BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.DOTALL | re.MULTILINE)
INCLUDES = """#include <rsd/ranker.h>

#include <iostream>
"""


def programs(page):
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if "int main(" in block:
            yield block
        else:
            yield f"{INCLUDES}\nint main() {{\n{block}}}\n"


def main(folder, pages):
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for page in pages:
        for number, text in enumerate(programs(page), start=1):
            names.append(f"{page.stem.lower().replace('-', '_')}_{number}")
            (folder / f"{names[-1]}.cpp").write_text(text, encoding="utf-8")
    lines = ["cmake_minimum_required(VERSION 3.25)", "project(docs LANGUAGES CXX)",
             "find_package(rsd REQUIRED)"]
    for name in names:
        lines += [f"add_executable({name} {name}.cpp)",
                  f"target_link_libraries({name} PRIVATE rsd::rsd)"]
    (folder / "CMakeLists.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(names))
    return 0 if names else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), [pathlib.Path(page) for page in sys.argv[2:]]))
