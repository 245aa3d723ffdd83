"""Ranking on a server, `rsd serve`, over HTTP."""

from __future__ import annotations

import json
from typing import Any, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from ._answer import Answer, Round, Windows, results_of
from ._errors import RsdError, error_of
from ._progress import counted
from ._request import Document, Question, question_from, question_of

# Names of rank()'s options: the server's.
_OPTIONS = {
    "decoder": "decoder", "budget": "budget", "deadline_ms": "deadline_ms", "top_n": "top_n",
    "draft": "draft", "policy": "policy", "window_method": "window_method", "window_size": "window",
    "window_stride": "stride", "keep_rounds": "rounds",
    "min_score": "min_score",
}
_STATUS_CODES = {400: "invalid_input", 401: "invalid_argument", 403: "invalid_argument",
                 404: "not_found", 413: "too_long", 422: "invalid_input", 429: "unavailable",
                 503: "unavailable", 504: "deadline_exceeded"}


class RemoteRanker:
    """Ranks documents on a server that `rsd serve` runs; the answers are those of a Ranker.

    url:     the server's, such as http://127.0.0.1:8080.
    api_key: sent as a bearer token.
    timeout: seconds for a whole request, None = no limit.

    It keeps no connection, so any number of threads may share it. Nothing is sent until rank() is called.
    """

    def __init__(self, url: str, api_key: Optional[str] = None, *, timeout: Optional[float] = 600) -> None:
        if not url.startswith(("http://", "https://")):
            raise error_of("invalid_argument", f"url is {url!r}; it must begin with http:// or https://")
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._timeout = timeout

    def rank(self, query: Optional[str], docs: Sequence[Document], *,
             ids: Optional[Sequence[str]] = None, budget: Optional[int] = None,
             deadline_ms: Optional[float] = None, top_n: Optional[int] = None,
             history: Optional[Sequence[str]] = None, **options: Any) -> Answer:
        """As Ranker.rank(); of its options the server takes decoder, draft, policy, window_method,
        window_size, window_stride, min_score and keep_rounds, whose rounds lists in windows don't have.

        Raises InvalidRequest, RsdError; its code is "unavailable" if the server can't be reached, or is
        busy or stopping.
        """
        question = question_of(query, docs, ids, history)
        fields = _fields_of(budget=budget, deadline_ms=deadline_ms, top_n=top_n, **options)
        reply = self._post("/v1/rank", {**_body_of(question), **fields})
        return _answer_of(reply["answers"][0], question)

    def rank_many(self, requests: Iterable[Any], *, progress: bool = False, **options: Any) -> List[Answer]:
        """As Ranker.rank_many(), one request after the other: threads may share the RemoteRanker."""
        return list(counted(self.iter_many(requests, **options), requests, progress))

    def iter_many(self, requests: Iterable[Any], **options: Any) -> Iterator[Answer]:
        """As rank_many(), one answer at a time."""
        for request in requests:
            given = question_from(request)
            yield self.rank(given.query, given.texts, ids=given.ids, history=given.history, **options)

    async def rank_async(self, query: Optional[str], docs: Sequence[Document], **options: Any) -> Answer:
        """As rank(), in a thread of the event loop's executor. A cancelled task leaves its request to
        the server."""
        import asyncio

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, lambda: self.rank(query, docs, **options))

    def close(self) -> None:
        """Does nothing: for symmetry with Ranker."""

    def __enter__(self) -> "RemoteRanker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        import http.client  # here, since importing it takes longer than all of rsd
        import urllib.error
        import urllib.request

        request = urllib.request.Request(self._url + path, json.dumps(body).encode("utf-8"),
                                         self._headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise _error_of_reply(refusal.code, refusal.read()) from None
        except (OSError, http.client.HTTPException) as fault:
            reason = getattr(fault, "reason", fault)
            raise RsdError(f"{self._url} can't be reached: {reason}", "unavailable") from fault
        except ValueError as fault:
            raise RsdError(f"{self._url} answered with something else than JSON", "runtime") from fault


def _error_of_reply(status: int, body: bytes) -> RsdError:
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the server answered with status {status}"
    return error_of(_STATUS_CODES.get(status, "runtime"), message)


def _fields_of(**options: Any) -> dict:
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise TypeError(f"the server takes no {', '.join(unknown)}")
    return {_OPTIONS[name]: value for name, value in options.items() if value is not None}


def _body_of(question: Question) -> dict:
    body: dict = {"candidates": [{"id": own_id, "text": text}
                                 for own_id, text in zip(question.ids, question.texts)]}
    if question.query is not None:
        body["query"] = question.query
    if question.history is not None:
        body["history"] = list(question.history)
    return body


def _answer_of(line: Mapping[str, Any], question: Question) -> Answer:
    place = {own_id: index for index, own_id in enumerate(question.ids)}
    order = [place[own_id] for own_id in line["ranking"]]
    windows = line.get("windows")
    same = ("decoder", "budget", "encodings", "verified_prefix", "tokens_encoded", "tokens_reused",
            "truncated_candidates", "truncated_query", "deadline_hit", "left_out", "none_relevant")
    return Answer(
        results=results_of(order, question.texts, question.ids, line.get("relevance_scores") or None,
                           line["scores"]),
        relevance_is_probability="none_relevant" in line,
        windows=None if windows is None else Windows(**windows), rounds=_rounds_of(line, question),
        **{f"{name}_ms": ms for name, ms in line["timing_ms"].items()},
        **{name: line[name] for name in same if name in line})


def _rounds_of(line: Mapping[str, Any], question: Question) -> Tuple[Round, ...]:
    """Logits are by candidate there, null for those that were not in the prompt."""
    rounds = []
    for one in line.get("rounds", ()):
        first_row = one["logits"][0] if one["logits"] else [0.0] * len(question.texts)
        items = tuple(index for index, logit in enumerate(first_row) if logit is not None)
        rounds.append(Round(window=0, items=items, proposal=tuple(one["proposal"]),
                            accepted=one["accepted"], known=len(one["known"]),
                            logits=tuple(tuple(row[item] for item in items) for row in one["logits"]),
                            ms=one.get("ms")))
    return tuple(rounds)
