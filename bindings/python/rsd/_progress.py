"""Progress bars, where somebody asks for one."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, TypeVar

T = TypeVar("T")


def counted(answers: Iterator[T], requests: Any, progress: bool) -> Iterable[T]:
    """The answers, shown by tqdm if `progress`; ImportError where it isn't installed."""
    if not progress:
        return answers
    from tqdm.auto import tqdm

    total = len(requests) if hasattr(requests, "__len__") else None
    return tqdm(answers, total=total, unit="request")
