"""gnuplot for the scripts: nothing of the current folder is run, as in src/core/program.cpp."""

from __future__ import annotations

import os
import shutil
import subprocess


def find_program(name: str) -> str | None:
    """Its path in the absolute folders of PATH that are not the current one."""
    folders = [f for f in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(f)]
    others = [f for f in folders if not (os.path.isdir(f) and os.path.samefile(f, "."))]
    return shutil.which(name, path=os.pathsep.join(others) or os.sep + "nowhere")


def draw(script: str) -> str:
    """What gnuplot writes to standard output; the paths in the script are absolute.

    OSError: it is not installed; subprocess.CalledProcessError: it failed."""
    program = find_program("gnuplot")
    if program is None:
        raise OSError("it is not installed")
    done = subprocess.run([program, "--default-settings", "-"], input=script, capture_output=True,
                          text=True, check=True, cwd=os.sep)
    return done.stdout
