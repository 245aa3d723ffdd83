"""A document compressor of LangChain (langchain-core).

    from langchain_classic.retrievers import ContextualCompressionRetriever
    from rsd.integrations.langchain import RsdRerank
    retriever = ContextualCompressionRetriever(base_compressor=RsdRerank(top_n=5), base_retriever=first)
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, field_validator

from ._ranking import Placed, rank_texts, rank_texts_async, ranker_of


class RsdRerank(BaseDocumentCompressor):
    """Ranks documents by their page_content.

    ranker:  an rsd.Ranker or rsd.RemoteRanker, the model of one to load, or a server's URL.
    top_n:   how many documents to return, 1 or more; None = all.
    options: of Ranker.rank(), such as {"budget": 2, "deadline_ms": 500}.

    Returned documents are copies, of the same class and with all fields, whose metadata also has
    "relevance_score"; those that were given stay as they are. Raises what Ranker.rank() raises.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    ranker: Any = Field(default=None, validate_default=True, exclude=True)
    top_n: Optional[int] = Field(default=None, ge=1)
    options: Dict[str, Any] = Field(default_factory=dict)

    _load = field_validator("ranker")(ranker_of)

    def compress_documents(self, documents: Sequence[Document], query: str,
                           callbacks: Optional[Callbacks] = None) -> Sequence[Document]:
        """The first top_n, best first."""
        texts = [document.page_content for document in documents]
        return _placed(documents, rank_texts(self.ranker, query, texts, self.top_n, self.options))

    async def acompress_documents(self, documents: Sequence[Document], query: str,
                                  callbacks: Optional[Callbacks] = None) -> Sequence[Document]:
        """As compress_documents(), without blocking the event loop."""
        texts = [document.page_content for document in documents]
        ranked = await rank_texts_async(self.ranker, query, texts, self.top_n, self.options)
        return _placed(documents, ranked)


def _placed(documents: Sequence[Document], ranked: Sequence[Placed]) -> List[Document]:
    return [_with_score(documents[index], score) for index, score in ranked]


def _with_score(document: Document, score: float) -> Document:
    return document.model_copy(update={"metadata": {**document.metadata, "relevance_score": score}})
