"""Faults on purpose: the environment that gives a process those of tests/faults/faults.cpp."""

import os
import pathlib
import tempfile

LIBRARY = ""  # the path of the built library; a test program sets it

# System calls that change files, and all that may be interrupted. The C library's own opening of
# streams does not try again; it is left out of the latter.
CHANGES = "create,fcreate,write,fsync,ftruncate,rename,unlink,mkdir"
INTERRUPTIBLE = "create,open,read,pread,write,fsync,ftruncate,flock,recv,send,poll,accept"


def rule(calls, pattern, fault, first=1, step=0):
    return f"{calls}|{pattern}|{first}|{step}|{fault}"


def always(calls, pattern, fault, first=1):
    """From call number `first` on."""
    return rule(calls, pattern, fault, first, 1)


def sometimes(calls, pattern, fault, one_in):
    """Without a pattern, so that no loop meets it at the same call each time."""
    return rule(calls, pattern, fault, 1, -one_in)


def faulty(*rules, **variables):
    """The environment of a process with these rules."""
    return {**os.environ, "LD_PRELOAD": LIBRARY, "RSD_FAULTS": " ".join(rules), **variables}


def count(calls, pattern, run):
    """How many such calls a process makes; `run` runs it with the environment that it is given."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "count")
        run(faulty(rule(calls, pattern, "count"), RSD_FAULTS_LOG=str(log)))
        return int(log.read_text())


def spread(n_calls, n_moments):
    """Numbers of calls from the first to the last, all where there are no more than n_moments."""
    if n_calls <= n_moments:
        return list(range(1, n_calls + 1))
    return sorted({1 + i * (n_calls - 1) // (n_moments - 1) for i in range(n_moments)})
