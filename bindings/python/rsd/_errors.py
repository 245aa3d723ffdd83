"""The errors that ranking raises."""

from __future__ import annotations


class RsdError(Exception):
    """A failure of rsd. `code` is its kind, such as "invalid_input"; `message` says what to do.

    The codes are those of the C interface (rsd.h): invalid_argument, missing_dependency, not_found,
    invalid_input, too_long, unsupported, deadline_exceeded, runtime, cancelled, out_of_memory, internal.
    RemoteRanker also has unavailable: the server can't be reached, or is busy.
    """

    def __init__(self, message: str, code: str = "runtime") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __str__(self) -> str:
        return self.message

    def __reduce__(self):  # so that it passes from one process to another
        return (type(self), (self.message, self.code))


class InvalidRequest(RsdError, ValueError):
    """invalid_argument, invalid_input or too_long: the message names the field, the value, the limit."""


class ModelNotFound(RsdError, FileNotFoundError):
    """not_found: a model or another file isn't there; the message says how to get it."""


class Cancelled(RsdError):
    """cancelled: the ranker was closed, or somebody cancelled the request."""


_CLASSES = {
    "invalid_argument": InvalidRequest,
    "invalid_input": InvalidRequest,
    "too_long": InvalidRequest,
    "not_found": ModelNotFound,
    "cancelled": Cancelled,
}


def error_of(code: str, message: str) -> RsdError:
    """An error of the class that fits the code."""
    return _CLASSES.get(code, RsdError)(message or code.replace("_", " "), code)
