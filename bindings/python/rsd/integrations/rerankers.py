"""A ranker of the package rerankers (AnswerDotAI).

    from rsd.integrations.rerankers import RsdRanker
    results = RsdRanker().rank(query="green tea", docs=["Steep it.", "Boil it."], doc_ids=["d7", "d3"])
"""

from __future__ import annotations

import copy
from typing import Any, List, Mapping, Optional, Sequence, Union

from rerankers.documents import Document
from rerankers.models.ranker import BaseRanker
from rerankers.results import RankedResults, Result

from .._errors import error_of
from ._ranking import Given, Placed, rank_texts, rank_texts_async, ranker_of

Docs = Union[str, Document, Sequence[Union[str, Document]]]
Ids = Optional[Sequence[Union[str, int]]]


class RsdRanker(BaseRanker):
    """Ranks texts or rerankers' Documents.

    ranker:  an rsd.Ranker or rsd.RemoteRanker, the model of one to load, or a server's URL.
    options: of Ranker.rank(), such as {"budget": 2, "deadline_ms": 500}.
    verbose: for symmetry with other rankers; nothing is printed.
    """

    def __init__(self, ranker: Given = None, verbose: int = 0, *,
                 options: Optional[Mapping[str, Any]] = None) -> None:
        self.ranker = ranker_of(ranker)
        self.verbose = verbose
        self.options = dict(options or {})

    def rank(self, query: str, docs: Docs, doc_ids: Ids = None,
             metadata: Optional[Sequence[dict]] = None) -> RankedResults:
        """All documents, best first, with `rank` from 1.

        doc_ids:  [K] by default the documents' own, or their places from 0. They may occur twice.
        metadata: [K] of documents that are given as texts.

        Documents that are given as such are those of the results, if neither ids nor metadata change
        them. Raises InvalidRequest for lists of different lengths, and what Ranker.rank() raises.
        """
        documents = _documents_of(docs, doc_ids, metadata)
        texts = [document.text or "" for document in documents]
        return _results(query, documents, rank_texts(self.ranker, query, texts, None, self.options))

    async def rank_async(self, query: str, docs: Docs, doc_ids: Ids = None,
                         metadata: Optional[Sequence[dict]] = None) -> RankedResults:
        """As rank(), without blocking the event loop."""
        documents = _documents_of(docs, doc_ids, metadata)
        texts = [document.text or "" for document in documents]
        ranked = await rank_texts_async(self.ranker, query, texts, None, self.options)
        return _results(query, documents, ranked)

    def score(self, query: str, doc: str) -> float:
        """The probability that a document is relevant. Raises RsdError, with code "unsupported", if the
        model doesn't read relevance: it then only compares the documents of a list."""
        answer = self.ranker.rank(query, [doc], **self.options)
        if not answer.relevance_is_probability:
            raise error_of("unsupported", "this model compares the documents of a list, it has no score for "
                                          "one document; use rank()")
        return answer[0].relevance


def _documents_of(docs: Docs, doc_ids: Ids, metadata: Optional[Sequence[dict]]) -> List[Document]:
    docs = [docs] if isinstance(docs, (str, Document)) else list(docs)
    for name, given in (("doc_ids", doc_ids), ("metadata", metadata)):
        if given is not None and len(given) != len(docs):
            raise error_of("invalid_argument", f"there are {len(given)} {name} for {len(docs)} docs")
    return [_document_of(doc, index, None if doc_ids is None else doc_ids[index],
                         None if metadata is None else metadata[index])
            for index, doc in enumerate(docs)]


def _document_of(doc: Union[str, Document], index: int, own_id: Union[None, str, int],
                 metadata: Optional[dict]) -> Document:
    """A text as a Document, or a Document itself; with an id or metadata of the call, a copy."""
    if isinstance(doc, str):
        return Document(doc, doc_id=index if own_id is None else own_id, metadata=metadata or {})
    changes = {"doc_id": own_id, "metadata": metadata}
    if own_id is None and doc.doc_id is None:
        changes["doc_id"] = index
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        return doc
    changed = copy.copy(doc)
    vars(changed).update(changes)
    return changed


def _results(query: str, documents: Sequence[Document], ranked: Sequence[Placed]) -> RankedResults:
    results = [Result(document=documents[index], score=score, rank=rank)
               for rank, (index, score) in enumerate(ranked, start=1)]
    return RankedResults(results=results, query=query, has_scores=True)
