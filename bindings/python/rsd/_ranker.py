"""Ranking with an LLM in this process."""

from __future__ import annotations

import collections
import ctypes
import os
import threading
import weakref
from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, List, Optional, Sequence, Union

from . import _library
from ._answer import Answer
from ._errors import RsdError, error_of
from ._job import Job, options_struct
from ._progress import counted
from ._request import Document, Question, question_from, question_of

if TYPE_CHECKING:
    import concurrent.futures
    import logging

#: Requests that rank_async has in progress at a time; further ones wait.
_ASYNC_REQUESTS = 64
_LEVELS = (10, 20, 30, 40)  # logging's DEBUG, INFO, WARNING, ERROR

Log = Union["logging.Logger", Callable[[int, str], None]]
PathLike = Union[str, "os.PathLike[str]"]


def _log_function(log: Optional[Log]):
    """The C function that passes lines on; a failure in `log` is no failure of the ranking."""
    if log is None:
        return _library.LOG_FUNCTION()
    write = log if callable(log) else log.log
    return _library.LOG_FUNCTION(lambda level, line, _: write(_LEVELS[level], line.decode("utf-8")))


def _path(path: Optional[PathLike], name: str) -> Optional[bytes]:
    return None if path is None else _library.encoded(os.fspath(path), name)


def _models_folder() -> Optional[PathLike]:
    """The project's own files: those of the wheel, unless RSD_MODELS_DIR names others."""
    own = _library.NATIVE / "share" / "rsd" / "models"
    return None if os.environ.get("RSD_MODELS_DIR") or not own.is_dir() else own


def _free(handle: int, pid: int) -> None:
    if os.getpid() == pid:  # a forked child has no such ranker
        _library.library().rsd_ranker_free(handle)


def _free_beside(handle: int, pid: int) -> None:
    """Garbage is collected anywhere, in a log function too, where a ranker can't be freed."""
    try:
        threading.Thread(target=_free, args=(handle, pid)).start()
    except RuntimeError:  # the interpreter is ending: no thread can be started
        _free(handle, pid)


class Ranker:
    """Ranks documents with an LLM, in this process or on a server of vLLM or SGLang.

    Any number of threads may share a ranker, and rank() releases the GIL. Close it, or use it in a
    `with` statement, to free the model's memory. It can't be used in a process that was forked from
    the one that loaded it.

    model:  a GGUF file, or "default" or "default-blocks", the models that `rsd model fetch` fetches
            once. Without it, the environment's RSD_MODEL, then "default". With remote_urls the GGUF
            file or tokenizer.json of the model that the servers run.
    agent:  the learned policy's file; without it the project's own, if it is for the model.
    policy: the policy of requests that name none: "agent", "replay", "blend", ...
    loras:  adapters, GGUF files.
    prompt_templates: YAML files, in place of the built-in prompts.
    context_tokens: the limit for prompt and ranking.
    parallel: the requests that go through the LLM together, 1 by default.
    threads: one per core by default.
    gpu_layers: in builds with GPU support; -1 = all.
    prompt_cache_mib, block_cache_mib: memory for encoded prompts and candidates; -1 = none.
    reuse_whole_prompts_only: the scores then don't depend on earlier requests.
    longest_pass_ms: longer work is done in pieces, between which other requests have their turn.
    log: a logging.Logger, or a function of a level (as in logging) and a line. It may be called by any
            thread, and must not use the ranker.

    Raises ModelNotFound (no such file, or the default model was not fetched), InvalidRequest,
    RsdError. Cost: reads the model.

    >>> with Ranker(model) as ranker:
    ...     answer = ranker.rank("how long to steep tea", ["Two minutes.", "Boil it."], budget=2)
    >>> sorted(answer.order), answer.encodings
    ([0, 1], 1)
    """

    def __init__(self, model: Optional[PathLike] = None, *, agent: Optional[PathLike] = None,
                 policy: Optional[str] = None, loras: Sequence[PathLike] = (),
                 prompt_templates: Sequence[PathLike] = (), context_tokens: Optional[int] = None,
                 parallel: Optional[int] = None, threads: Optional[int] = None, gpu_layers: int = 0,
                 prompt_cache_mib: int = 0, block_cache_mib: int = 0,
                 reuse_whole_prompts_only: bool = False, longest_pass_ms: Optional[float] = None,
                 remote_urls: Sequence[str] = (), remote_server: Optional[str] = None,
                 remote_model: Optional[str] = None, remote_api_key: Optional[str] = None,
                 log: Optional[Log] = None) -> None:
        self._library = _library.library()
        text, count, strings = _library.encoded, _library.count, _library.strings
        model = model if model is not None else os.environ.get("RSD_MODEL") or None
        # Kept with the ranker: C calls it.
        self._log = _log_function(log)
        options = _library.sized(
            _library.EngineOptions, model=_path(model, "model"), agent=_path(agent, "agent"),
            policy=text(policy, "policy"), n_loras=len(loras),
            loras=strings([os.fspath(path) for path in loras], "loras"),
            n_prompt_templates=len(prompt_templates),
            prompt_templates=strings([os.fspath(path) for path in prompt_templates],
                                     "prompt_templates"),
            context_tokens=count(context_tokens, "context_tokens"),
            parallel=count(parallel, "parallel"), threads=count(threads, "threads"),
            gpu_layers=gpu_layers, prompt_cache_mib=prompt_cache_mib,
            block_cache_mib=block_cache_mib,
            reuse_whole_prompts_only=int(reuse_whole_prompts_only),
            longest_pass_ms=longest_pass_ms or 0.0, n_remote_urls=len(remote_urls),
            remote_urls=strings(list(remote_urls), "remote_urls"),
            remote_server=text(remote_server, "remote_server"),
            remote_model=text(remote_model, "remote_model"),
            remote_api_key=text(remote_api_key, "remote_api_key"),
            models_folder=_path(_models_folder(), "models_folder"), log=self._log)
        handle = c_void_p()
        _library.check(self._library.rsd_ranker_load(byref(options), byref(handle)))
        self._handle: Optional[c_void_p] = handle
        self._pid = os.getpid()
        self._users = threading.Condition()  # of _n_users and _handle
        self._n_users = 0
        self._pool: Optional["concurrent.futures.ThreadPoolExecutor"] = None
        self._finalizer = weakref.finalize(self, _free_beside, handle.value, self._pid)

    # ---- Ranking ----------------------------------------------------------------------------

    def rank(self, query: Optional[str], docs: Sequence[Document], *,
             ids: Optional[Sequence[str]] = None, budget: Optional[int] = None,
             deadline_ms: Optional[float] = None, top_n: Optional[int] = None,
             history: Optional[Sequence[str]] = None, previous: Optional[Sequence[int]] = None,
             **options: Any) -> Answer:
        """Ranks the documents for a query, or, with query=None, for a history of liked titles.

        docs:    [K] texts, 1 to 10,000, in the first stage's order; or mappings with "text" and "id".
                 Blank ones are ranked last.
        ids:     [K] unique; by default the documents' own, or their places.
        budget:  LLM encodings for the whole list; by default 3 for each prompt.
        deadline_ms: after it the best ranking so far is the answer.
        top_n:   stop as soon as so many leading positions are known. The answer still has all K.
        history: titles that a user liked, oldest first.
        previous: [K] an order that is likely to be right, such as an earlier answer's `order`.
        options: decoder ("rsd", "ar", "std", "sd", "exact"), draft, policy, max_text_tokens,
                 long_texts ("cut" or "refuse"), window_method, window_size, window_stride,
                 keep_rounds (the answer then has `rounds`), min_score (only candidates that are relevant
                 with this probability or a higher one, for models that read relevance).

        Ctrl-C cancels the request. Raises InvalidRequest, Cancelled, RsdError; TypeError.
        """
        question = question_of(query, docs, ids, history, previous)
        struct = options_struct(budget=budget, deadline_ms=deadline_ms, top_n=top_n, **options)
        return self._submit(question, struct).take()

    def rank_many(self, requests: Iterable[Any], *, progress: bool = False, **options: Any) -> List[Answer]:
        """Ranks requests, `parallel` at a time, and returns their answers in the same order.

        requests: pairs (query, docs), or mappings with the arguments query, docs, ids, history,
                  previous of rank(). Taken as they are needed.
        progress: shows a bar of tqdm, which must be installed.
        options:  those of rank().

        The first error ends it, and cancels what is in progress.
        """
        return list(counted(self.iter_many(requests, **options), requests, progress))

    def iter_many(self, requests: Iterable[Any], **options: Any) -> Iterator[Answer]:
        """As rank_many(), one answer at a time: for more requests than fit into memory."""
        struct = options_struct(**options)
        parallel = self.info["parallel"]
        # A deadline counts from when the request is handed in: with one, none waits for a place.
        ahead = parallel if struct.deadline_ms else 2 * parallel + 1
        jobs: "collections.deque[Job]" = collections.deque()
        try:
            for request in requests:
                jobs.append(self._submit(question_from(request), struct))
                if len(jobs) >= ahead:
                    yield jobs.popleft().take()
            while jobs:
                yield jobs.popleft().take()
        finally:
            for job in jobs:
                job.discard()

    async def rank_async(self, query: Optional[str], docs: Sequence[Document], *,
                         ids: Optional[Sequence[str]] = None, history: Optional[Sequence[str]] = None,
                         previous: Optional[Sequence[int]] = None, **options: Any) -> Answer:
        """As rank(), without blocking the event loop. Cancelling the task cancels the request."""
        import asyncio  # half of the time of an import

        question = question_of(query, docs, ids, history, previous)
        struct = options_struct(**options)
        work = _Cancellable(lambda: self._submit(question, struct))
        try:
            return await asyncio.wrap_future(self._threads().submit(work.run))
        except asyncio.CancelledError:
            work.cancel()
            raise

    # ---- The ranker itself --------------------------------------------------------------------

    @property
    def info(self) -> dict:
        """model_name, context_tokens, parallel, max_passages and max_recommendations (candidates of one
        prompt; longer lists are ranked in windows), reads_relevance (for passages)."""
        info = _library.sized(_library.RankerInfo)
        with _Use(self) as handle:
            _library.check(self._library.rsd_ranker_get_info(handle, byref(info)))
            read = {name: getattr(info, name) for name, _ in info._fields_ if name != "struct_size"}
            read["model_name"] = read["model_name"].decode("utf-8")
            read["reads_relevance"] = bool(read["reads_relevance"])
        return read

    def close(self) -> None:
        """Cancels the requests in progress and frees the model. Closing again does nothing."""
        with self._users:
            handle, self._handle = self._handle, None
            self._users.wait_for(lambda: self._n_users == 0)
            pool, self._pool = self._pool, None
        if handle is None:
            return
        self._finalizer.detach()
        _free(handle.value, self._pid)
        if pool is not None:
            pool.shutdown(wait=False)

    def __enter__(self) -> "Ranker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, question: Question, options: ctypes.Structure) -> Job:
        with _Use(self) as handle:
            return Job(handle, question, options)

    def _threads(self) -> "concurrent.futures.ThreadPoolExecutor":
        import concurrent.futures

        with self._users:
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(
                    max_workers=_ASYNC_REQUESTS, thread_name_prefix="rsd")
            return self._pool


class _Use:
    """The handle of a ranker that can't be freed meanwhile."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    def __enter__(self) -> c_void_p:
        ranker = self._ranker
        if os.getpid() != ranker._pid:
            raise RsdError("this process was forked from the one that loaded the ranker; load another "
                           "one here", "invalid_argument")
        with ranker._users:
            if ranker._handle is None:
                raise error_of("invalid_argument", "the ranker is closed")
            ranker._n_users += 1
            return ranker._handle

    def __exit__(self, *_: object) -> None:
        with self._ranker._users:
            self._ranker._n_users -= 1
            self._ranker._users.notify_all()


class _Cancellable:
    """A request that one thread ranks and another may cancel, even before it was handed in."""

    def __init__(self, submit: Callable[[], Job]) -> None:
        self._submit = submit
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._job: Optional[Job] = None

    def run(self) -> Answer:
        with self._lock:
            if self._is_cancelled:
                raise error_of("cancelled", "the request was cancelled")
        job = self._submit()
        with self._lock:
            self._job = job
            if self._is_cancelled:
                job.cancel()
        try:
            return job.take()
        finally:
            with self._lock:
                self._job = None

    def cancel(self) -> None:
        with self._lock:
            self._is_cancelled = True
            if self._job is not None:
                self._job.cancel()


