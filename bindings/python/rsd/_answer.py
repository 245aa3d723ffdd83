"""What ranking returns, the same from a Ranker and from a RemoteRanker."""

from __future__ import annotations

import collections.abc
import dataclasses
from typing import TYPE_CHECKING, Iterator, List, Optional, Sequence, Tuple, Union, overload

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True)
class Result:
    """A candidate at its place in the ranking."""

    index: int  #: its place among the documents that were given, from 0
    id: str
    text: str
    score: float  #: (K - position) / K: strictly decreasing from 1, so that sorting keeps the order
    #: In (0, 1], if the answer has relevance. With Answer.relevance_is_probability the probability that
    #: the candidate is relevant; else strictly decreasing, and relative to the list.
    relevance: Optional[float]


@dataclasses.dataclass(frozen=True)
class Round:
    """One encoding of one prompt: what was proposed to the LLM, and how far it agreed."""

    window: int  #: the window's number, from 1; 0: the list is one prompt
    items: Tuple[int, ...]  #: candidates by index, in the prompt's order
    proposal: Tuple[int, ...]  #: candidates by index; empty: the prompt alone
    accepted: int  #: leading positions of the proposal that are the LLM's own choice
    known: int  #: leading positions that are known after the round
    #: [rows][items] by position of the proposal, then in the order of `items`
    logits: Tuple[Tuple[float, ...], ...]
    ms: Optional[float]  #: the time of the encoding, with the prefill's in the first


@dataclasses.dataclass(frozen=True)
class Windows:
    """How a list that is longer than one prompt was ranked."""

    count: int
    size: int  #: the most candidates of a window
    method: str
    confirmed_prefix: int  #: leading positions that a window has verified


@dataclasses.dataclass(frozen=True)
class Answer(collections.abc.Sequence):
    """The ranking, best first: a sequence of Result, of all K candidates but those below min_score.

    >>> answer = Answer(results=(Result(1, "b", "tea", 1.0, None), Result(0, "a", "ink", 0.5, None)))
    >>> [result.id for result in answer]
    ['b', 'a']
    >>> answer[0].text, len(answer), answer.order
    ('tea', 2, [1, 0])
    """

    results: Tuple[Result, ...]
    decoder: str = ""
    budget: Optional[int] = None  #: the most encodings allowed; None = no limit
    encodings: int = 0  #: LLM passes, prefills included
    verified_prefix: int = 0  #: leading positions known to equal the target ranking's
    tokens_encoded: int = 0  #: of prompts and proposals
    prompt_tokens: Optional[int] = None
    tokens_reused: Optional[int] = None  #: of the prompts: known from earlier requests
    truncated_candidates: int = 0  #: texts that were cut to fit
    truncated_query: bool = False
    deadline_hit: bool = False
    left_out: int = 0  #: candidates below min_score
    relevance_is_probability: bool = False
    none_relevant: Optional[bool] = None  #: no probability reaches 0.5; None: not known
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    agent_ms: float = 0.0
    total_ms: float = 0.0
    windows: Optional[Windows] = None
    rounds: Tuple[Round, ...] = ()  #: if keep_rounds was asked for

    @overload
    def __getitem__(self, place: int) -> Result: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Result]: ...

    def __getitem__(self, place: Union[int, slice]) -> Union[Result, Sequence[Result]]:
        return self.results[place]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @property
    def order(self) -> List[int]:
        """The documents by their index, best first."""
        return [result.index for result in self.results]

    @property
    def ids(self) -> List[str]:
        """The documents' ids, best first."""
        return [result.id for result in self.results]

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a candidate, best first: rank (from 1), index, id, score, relevance, text.

        Raises ImportError where pandas isn't installed.
        """
        import pandas

        rows = [(rank, result.index, result.id, result.score, result.relevance, result.text)
                for rank, result in enumerate(self.results, start=1)]
        return pandas.DataFrame(rows, columns=["rank", "index", "id", "score", "relevance", "text"])


def results_of(order: Sequence[int], texts: Sequence[str], ids: Sequence[str],
               relevance: Optional[Sequence[float]],
               scores: Optional[Sequence[float]] = None) -> Tuple[Result, ...]:
    """The results of an order of candidates. `relevance` and `scores` are by position; without scores the
    order is of all candidates."""
    n = len(order)
    scores = scores or [(n - position) / n for position in range(n)]
    return tuple(
        Result(index=index, id=ids[index], text=texts[index], score=scores[position],
               relevance=None if relevance is None else relevance[position])
        for position, index in enumerate(order))
