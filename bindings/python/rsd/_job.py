"""A request that was handed to the library, and how its answer is read."""

from __future__ import annotations

import ctypes
import threading
from ctypes import byref, c_size_t, c_void_p
from typing import Any, Optional, Sequence, Tuple

from . import _library
from ._answer import Answer, Round, Windows, results_of
from ._errors import error_of
from ._request import Question

#: How long a wait in C lasts before Python looks for signals, such as Ctrl-C.
_LOOK_MS = 50.0


def options_struct(*, decoder: Optional[str] = None, budget: Optional[int] = None,
                   deadline_ms: Optional[float] = None, top_n: Optional[int] = None,
                   draft: Optional[str] = None, policy: Optional[str] = None,
                   max_text_tokens: Optional[int] = None, long_texts: str = "cut",
                   window_method: Optional[str] = None, window_size: Optional[int] = None,
                   window_stride: Optional[int] = None,
                   keep_rounds: bool = False, min_score: Optional[float] = None) -> ctypes.Structure:
    """The options of a request for the library, which checks most of them."""
    if deadline_ms is not None and not deadline_ms > 0:
        raise error_of("invalid_argument", f"deadline_ms is {deadline_ms}; it must be more than 0")
    if long_texts not in ("cut", "refuse"):
        raise error_of("invalid_argument", f'long_texts is {long_texts!r}; it must be "cut" or "refuse"')
    text, count = _library.encoded, _library.count
    return _library.sized(
        _library.RankOptions, decoder=text(decoder, "decoder"), budget=count(budget, "budget"),
        deadline_ms=0.0 if deadline_ms is None else float(deadline_ms), top_n=count(top_n, "top_n"),
        draft=text(draft, "draft"), policy=text(policy, "policy"),
        max_text_tokens=count(max_text_tokens, "max_text_tokens"),
        long_texts=int(long_texts == "refuse"), window_method=text(window_method, "window_method"),
        window_size=count(window_size, "window_size"),
        window_stride=count(window_stride, "window_stride"), keep_rounds=int(bool(keep_rounds)),
        min_score=0.0 if min_score is None else float(min_score))


def _numbers(values: Optional[Sequence[int]], name: str):
    if values is None:
        return None
    for i, value in enumerate(values):
        if not 0 <= value < 2**63:
            raise error_of("invalid_argument", f"{name}[{i}] is {value}; it must be 0 or more")
    return (c_size_t * len(values))(*values)


def request_struct(question: Question) -> ctypes.Structure:
    """The request for the library, which copies it. The struct keeps the texts alive."""
    texts = [text.encode("utf-8", "surrogatepass") for text in question.texts]
    history = question.history or ()
    return _library.sized(
        _library.Request, query=_library.encoded(question.query, "query"), n_history=len(history),
        history=_library.strings(history, "history"), n_candidates=len(texts),
        texts=(ctypes.c_char_p * len(texts))(*texts) if texts else None,
        text_bytes=(c_size_t * len(texts))(*map(len, texts)) if texts else None,
        ids=_library.strings(question.ids, "ids"),
        previous=_numbers(question.previous, "previous"))


class Job:
    """A request in progress, which ends with take() or discard(). Any thread may cancel() it."""

    def __init__(self, ranker: c_void_p, question: Question, options: ctypes.Structure) -> None:
        self._library = _library.library()
        self._lock = threading.Lock()  # of the handle's life
        self._question = question
        self._handle = c_void_p()
        _library.check(self._library.rsd_submit(ranker, byref(request_struct(question)),
                                                byref(options), byref(self._handle)))

    def cancel(self) -> None:
        """Ends it: take() then raises Cancelled."""
        with self._lock:
            if self._handle is not None:
                self._library.rsd_job_cancel(self._handle)

    def discard(self) -> None:
        """Cancels it, and frees it."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            self._library.rsd_job_free(handle)

    def __del__(self) -> None:  # an exception came between handing in and waiting
        if getattr(self, "_handle", None) is not None:
            self.discard()

    def take(self) -> Answer:
        """Waits for the answer. If an exception comes first, such as KeyboardInterrupt, the request is
        cancelled."""
        try:
            while not self._library.rsd_job_wait(self._handle, _LOOK_MS):
                pass
            taken = c_void_p()
            _library.check(self._library.rsd_job_take(self._handle, byref(taken)))
        finally:
            self.discard()
        try:
            return _read_answer(self._library, taken, self._question)
        finally:
            self._library.rsd_answer_free(taken)


def _read_answer(library: ctypes.CDLL, answer: c_void_p, question: Question) -> Answer:
    n = library.rsd_answer_size(answer)
    order = library.rsd_answer_order(answer)[:n]
    relevance = library.rsd_answer_relevance(answer)
    info = _library.sized(_library.AnswerInfo)
    _library.check(library.rsd_answer_get_info(answer, byref(info)))
    results = results_of(order, question.texts, question.ids, relevance[:n] if relevance else None)
    listed = library.rsd_answer_listed(answer)[:library.rsd_answer_n_listed(answer)]
    return Answer(
        results=tuple(results[position] for position in listed), left_out=n - len(listed),
        rounds=_read_rounds(library, answer), windows=_windows_of(info), **_costs_of(info))


def _costs_of(info: Any) -> dict:
    same = ("encodings", "verified_prefix", "tokens_encoded", "prompt_tokens", "tokens_reused",
            "truncated_candidates", "prefill_ms", "decode_ms", "agent_ms", "total_ms")
    costs = {name: getattr(info, name) for name in same}
    for name in ("truncated_query", "deadline_hit", "relevance_is_probability"):
        costs[name] = bool(getattr(info, name))
    costs["decoder"] = info.decoder.decode()
    costs["budget"] = info.budget or None
    costs["none_relevant"] = None if info.none_relevant < 0 else bool(info.none_relevant)
    return costs


def _windows_of(info: Any) -> Optional[Windows]:
    if not info.n_windows:
        return None
    return Windows(count=info.n_windows, size=info.window_size, method=info.window_method.decode(),
                   confirmed_prefix=info.confirmed_prefix)


def _read_rounds(library: ctypes.CDLL, answer: c_void_p) -> Tuple[Round, ...]:
    rounds = []
    for number in range(library.rsd_answer_n_rounds(answer)):
        read = _library.sized(_library.Round)
        _library.check(library.rsd_answer_get_round(answer, number, byref(read)))
        logits = tuple(tuple(library.rsd_answer_round_row(answer, number, row)[:read.n_items])
                       for row in range(read.n_rows))
        rounds.append(Round(window=read.window, items=tuple(read.items[:read.n_items]),
                            proposal=tuple(read.proposal[:read.n_proposed]) if read.n_proposed else (),
                            accepted=read.accepted, known=read.known, logits=logits,
                            ms=read.ms or None))
    return tuple(rounds)
