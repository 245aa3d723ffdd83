"""Paths of the machine that built something, in what it built."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def paths_of_this_machine():
    """Where the source, llama.cpp's source and the users' files are, as bytes."""
    home = pathlib.Path.home()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    folders = {str(ROOT), str(home / ".cache"), "/tmp/tmp"}  # the last: where pip builds
    if cache.startswith("/"):
        folders.add(cache)
    return sorted(folder.encode() + (b"" if folder.endswith("tmp") else b"/") for folder in folders)


def paths_in(files):
    """Which of these paths occur, with the file and some bytes around."""
    found = []
    for file in files:
        content = pathlib.Path(file).read_bytes()
        for path in paths_of_this_machine():
            at = content.find(path)
            if at >= 0:
                found.append(f"{file}: {content[at:at + 100].split(bytes(1))[0].decode(errors='replace')}")
    return found
