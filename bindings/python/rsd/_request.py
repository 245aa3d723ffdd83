"""Documents and options as users write them."""

from __future__ import annotations

import dataclasses
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

from ._errors import error_of

#: A text, or a mapping with "text" and, if it has one, "id".
Document = Union[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Question:
    """One ranking problem: a query or a history, and candidates."""

    query: Optional[str]
    history: Optional[Sequence[str]]
    texts: List[str]
    ids: List[str]
    previous: Optional[Sequence[int]] = None


def _text_and_id(document: Document, index: int) -> Tuple[str, str]:
    if isinstance(document, str):
        return document, str(index)
    if isinstance(document, Mapping):
        text, own_id = document.get("text"), document.get("id", str(index))
        if isinstance(text, str) and isinstance(own_id, (str, int)):
            return text, str(own_id)
    raise TypeError(f"docs[{index}] must be a str, or a mapping with a str \"text\"; it is {document!r:.80}")


def question_of(query: Optional[str], docs: Sequence[Document], ids: Optional[Sequence[str]],
                history: Optional[Sequence[str]], previous: Optional[Sequence[int]] = None) -> Question:
    """Checks types and lengths; the rest is the library's, or the server's."""
    if docs is None or isinstance(docs, (str, bytes, Mapping)):
        raise TypeError(f"docs must be a sequence of documents, not a {type(docs).__name__}")
    if isinstance(history, str):
        raise TypeError("history must be a sequence of titles, not a str")
    pairs = [_text_and_id(document, index) for index, document in enumerate(docs)]
    texts = [text for text, _ in pairs]
    own_ids = [own_id for _, own_id in pairs]
    if ids is not None:
        own_ids = [str(given) for given in ids]
        if len(own_ids) != len(texts):
            raise error_of("invalid_argument", f"there are {len(own_ids)} ids for {len(texts)} docs")
    if previous is not None and len(previous) != len(texts):
        raise error_of("invalid_argument",
                       f"previous ranks {len(previous)} candidates of {len(texts)}")
    return Question(query=query, history=history, texts=texts, ids=own_ids, previous=previous)


def question_from(request: Any) -> Question:
    """A request of rank_many: (query, docs), or a mapping of the arguments of rank()."""
    if isinstance(request, Mapping):
        known = ("query", "docs", "ids", "history", "previous")
        unknown = [name for name in request if name not in known]
        if unknown:
            raise error_of("invalid_argument", f"a request has no {', '.join(map(repr, unknown))}")
        arguments = {name: request.get(name) for name in known}
        return question_of(**arguments)
    query, docs = request
    return question_of(query, docs, None, None)
