"""The program `rsd` that comes with the package: the console script, evaluate() and train()."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from typing import Any, Iterable, List, Optional, Sequence, Union

from ._errors import ModelNotFound, RsdError, error_of
from ._library import NATIVE

PathLike = Union[str, "os.PathLike[str]"]

# Options whose values the program takes as one list with commas.
_LISTS = {"decoders", "budgets", "policies", "draft", "rpc", "tensor-split"}
# docs/cli.md, "Exit codes".
_EXIT_CODES = {2: "invalid_argument", 3: "missing_dependency", 4: "not_found", 5: "invalid_input"}


def program_path() -> str:
    """RSD_PROGRAM, or the program of the wheel."""
    path = os.environ.get("RSD_PROGRAM") or str(NATIVE / "bin" / "rsd")
    if not os.path.exists(path):
        raise ModelNotFound(f"the program rsd is not at {path}; install the wheel that ./dev wheel "
                            "makes, or set RSD_PROGRAM to an rsd", "not_found")
    return path


def main() -> None:
    """The console script: becomes the program."""
    try:
        path = program_path()
    except RsdError as missing:
        sys.exit(f"rsd: {missing}")
    os.execv(path, ["rsd", *sys.argv[1:]])


def _flags_of(options: dict) -> List[str]:
    """decoders=["ar", "rsd"] is --decoders ar,rsd; resume=True is --resume; lora=["a", "b"] is given
    twice; None and False are left out."""
    flags: List[str] = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            flags.append(f"--{flag}")
        elif isinstance(value, (list, tuple)) and flag in _LISTS:
            flags += [f"--{flag}", ",".join(map(str, value))]
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                flags += [f"--{flag}", os.fspath(one) if isinstance(one, os.PathLike) else str(one)]
    return flags


def _run(arguments: Sequence[str]) -> None:
    import subprocess

    done = subprocess.run([program_path(), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          encoding="utf-8", errors="replace", check=False)
    if done.returncode == 0:
        return
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    raise error_of(_EXIT_CODES.get(done.returncode, "runtime"),
                   "\n".join(lines[-5:]) or f"rsd ended with status {done.returncode}")


def _files(requests: Union[PathLike, Iterable[PathLike]]) -> List[str]:
    if isinstance(requests, (str, os.PathLike)):
        requests = [requests]
    return [os.fspath(path) for path in requests]


def evaluate(requests: Union[PathLike, Iterable[PathLike]], *, model: Optional[PathLike] = None,
             out: Optional[PathLike] = None, **options: Any) -> dict:
    """Compares decoders on files of requests: runs `rsd eval`, and returns its results.json.

    requests: one file or several, as `rsd rank` reads them.
    model:    as Ranker's, the environment's RSD_MODEL included.
    out:      a folder for results.json, table.md and report.html, which stay there; without it a
              temporary one.
    options:  the program's flags (docs/cli.md, "rsd eval"): decoders=["ar", "rsd"], budgets=[2, 3],
              limit=100, resume=True, ...

    Raises InvalidRequest, ModelNotFound, RsdError, with the program's last lines. Cost: for each
    request, that of all its decoders.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="rsd-eval-") as temporary:
        folder = pathlib.Path(out if out is not None else temporary)
        flags = {"model": model or os.environ.get("RSD_MODEL") or None, "out": folder, **options}
        _run(["eval", "--requests", *_files(requests), *_flags_of(flags)])
        return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def train(requests: Union[PathLike, Iterable[PathLike]], out: PathLike, *,
          model: Optional[PathLike] = None, **options: Any) -> pathlib.Path:
    """Trains an agent that proposes rankings to the LLM: runs `rsd train`, and returns its file, `out`.

    Given again after an interruption, it goes on where it was: beside `out` the program keeps the
    folder OUT.training.

    options: the program's flags (docs/cli.md, "rsd train"): supervised_only=True, rpo_steps=300, ...

    Raises InvalidRequest, ModelNotFound, RsdError. Cost: minutes to hours.
    """
    flags = {"model": model or os.environ.get("RSD_MODEL") or None, "out": out, **options}
    _run(["train", "--requests", *_files(requests), *_flags_of(flags)])
    return pathlib.Path(out)
