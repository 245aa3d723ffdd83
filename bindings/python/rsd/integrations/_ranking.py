"""What the integrations share: which ranker, and texts in, places and scores out."""

from __future__ import annotations

import os
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Union

from .._answer import Answer, Result
from .._errors import error_of
from .._ranker import Ranker
from .._remote import RemoteRanker

AnyRanker = Union[Ranker, RemoteRanker]
#: A ranker, the model of one to load, None for the default model, or the URL of a server.
Given = Union[None, str, "os.PathLike[str]", Ranker, RemoteRanker]


class Placed(NamedTuple):
    """A document at its place in the ranking."""

    index: int  #: among the texts that were given, from 0
    score: float


def ranker_of(given: Given, api_key: Optional[str] = None) -> AnyRanker:
    """The ranker that the user means. `api_key` is for a server's URL. Raises TypeError, and what
    Ranker() raises. Cost: for a model, reads it."""
    if isinstance(given, str) and given.startswith(("http://", "https://")):
        return RemoteRanker(given, api_key)
    if given is None or isinstance(given, (str, os.PathLike)):
        return Ranker(given)
    if isinstance(given, (Ranker, RemoteRanker)):
        return given
    raise TypeError("ranker must be an rsd.Ranker, an rsd.RemoteRanker, a model or a server's URL, "
                    f"not a {type(given).__name__}")


def checked_top_n(top_n: Optional[int], name: str = "top_n") -> Optional[int]:
    """`top_n` itself; raises InvalidRequest, a ValueError, if it is neither None nor at least 1."""
    if top_n is not None and (not isinstance(top_n, int) or top_n < 1):
        raise error_of("invalid_argument", f"{name} is {top_n!r}; it must be 1 or more, or None for all")
    return top_n


def score_of(result: Result) -> float:
    """Its relevance, if the answer has relevance, else its rank as a score."""
    return result.score if result.relevance is None else result.relevance


def places(answer: Answer, top_n: Optional[int] = None) -> List[Placed]:
    """The first `top_n` of an answer, best first."""
    return [Placed(result.index, score_of(result)) for result in answer.results[:top_n]]


def without_llm(texts: Sequence[str], top_n: Optional[int]) -> Optional[List[Placed]]:
    """The ranking of a list with nothing to compare, or None. Ranker.rank() refuses such lists, but a
    first stage may find nothing, which must not end its pipeline."""
    if any(text.strip() for text in texts):
        return None
    return [Placed(index, 0.0) for index in range(len(texts))][:top_n]


def rank_texts(ranker: AnyRanker, query: str, texts: Sequence[str], top_n: Optional[int] = None,
               options: Optional[Mapping[str, Any]] = None) -> List[Placed]:
    """The places of the first `top_n` texts, best first; fewer if there are fewer, or with min_score.

    texts:   blank ones are last; if all are blank, they keep their order, with score 0. No texts, no places.
    options: of Ranker.rank().

    Raises what Ranker.rank() raises.
    """
    ranked = without_llm(texts, top_n)
    if ranked is None:
        ranked = places(ranker.rank(query, list(texts), top_n=top_n, **(options or {})), top_n)
    return ranked


async def rank_texts_async(ranker: AnyRanker, query: str, texts: Sequence[str],
                           top_n: Optional[int] = None,
                           options: Optional[Mapping[str, Any]] = None) -> List[Placed]:
    """As rank_texts(), without blocking the event loop."""
    ranked = without_llm(texts, top_n)
    if ranked is None:
        ranked = places(await ranker.rank_async(query, list(texts), top_n=top_n, **(options or {})), top_n)
    return ranked
