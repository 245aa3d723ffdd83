"""A ranker component of Haystack (haystack-ai).

    from rsd.integrations.haystack import RsdRanker
    pipeline.add_component("ranker", RsdRanker(top_k=5))
    pipeline.connect("retriever", "ranker")
"""

# Annotations are objects here: Haystack reads those of run().

import os
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import Secret, deserialize_secrets_inplace

from .._errors import error_of
from ._ranking import AnyRanker, Given, Placed, checked_top_n, rank_texts, rank_texts_async, ranker_of


@component
class RsdRanker:
    """Ranks documents by their content.

    ranker:  an rsd.Ranker or rsd.RemoteRanker, the model of one to load, or a server's URL. Pipelines
             with a model or a URL can be saved.
    api_key: for a server's URL; by default the environment's RSD_API_KEY, if it is set.
    top_k:   how many documents to return, 1 or more; None = all.
    meta_fields_to_embed: the LLM also reads these fields of `meta`, before the content.
    embedding_separator:  between fields and content.
    options: of Ranker.rank(), such as {"budget": 2, "deadline_ms": 500}.

    The model is loaded by warm_up(), or by the first run(). Returned documents are copies with a new
    score, and all other fields; those that were given stay as they are.
    """

    def __init__(self, ranker: Given = None, *,
                 api_key: Optional[Secret] = Secret.from_env_var("RSD_API_KEY", strict=False),
                 top_k: Optional[int] = 10, meta_fields_to_embed: Optional[List[str]] = None,
                 embedding_separator: str = "\n", options: Optional[Dict[str, Any]] = None) -> None:
        self.ranker = ranker
        self.api_key = api_key
        self.top_k = checked_top_n(top_k, "top_k")
        self.meta_fields_to_embed = list(meta_fields_to_embed or [])
        self.embedding_separator = embedding_separator
        self.options = dict(options or {})
        self._loaded: Optional[AnyRanker] = None

    def warm_up(self) -> None:
        """Loads the model; again, it does nothing. Raises what Ranker() raises."""
        if self._loaded is None:
            self._loaded = ranker_of(self.ranker, self.api_key.resolve_value() if self.api_key else None)

    def to_dict(self) -> Dict[str, Any]:
        """For saved pipelines. Raises InvalidRequest if the ranker was given as an object."""
        if not (self.ranker is None or isinstance(self.ranker, (str, os.PathLike))):
            raise error_of("invalid_argument", "a loaded ranker can't be saved; give RsdRanker the model, or "
                                               "the server's URL")
        return default_to_dict(
            self, ranker=None if self.ranker is None else os.fspath(self.ranker),
            api_key=self.api_key.to_dict() if self.api_key else None, top_k=self.top_k,
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator, options=self.options)

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "RsdRanker":
        """The component that to_dict() described."""
        deserialize_secrets_inplace(data["init_parameters"], keys=["api_key"])
        return default_from_dict(cls, data)

    @component.output_types(documents=List[Document])
    def run(self, query: str, documents: List[Document], top_k: Optional[int] = None) -> Dict[str, Any]:
        """{"documents": the first top_k, best first}. Raises what Ranker.rank() raises."""
        self.warm_up()
        limit = self._limit(top_k)
        ranked = rank_texts(self._loaded, query, self._texts_of(documents), limit, self.options)
        return {"documents": _placed(documents, ranked)}

    @component.output_types(documents=List[Document])
    async def run_async(self, query: str, documents: List[Document],
                        top_k: Optional[int] = None) -> Dict[str, Any]:
        """As run(), without blocking the event loop; only the model is loaded by the first call."""
        self.warm_up()
        limit = self._limit(top_k)
        ranked = await rank_texts_async(self._loaded, query, self._texts_of(documents), limit,
                                        self.options)
        return {"documents": _placed(documents, ranked)}

    def _limit(self, top_k: Optional[int]) -> Optional[int]:
        return self.top_k if top_k is None else checked_top_n(top_k, "top_k")

    def _texts_of(self, documents: Sequence[Document]) -> List[str]:
        return [self._text_of(document) for document in documents]

    def _text_of(self, document: Document) -> str:
        fields = [str(document.meta[name]) for name in self.meta_fields_to_embed
                  if document.meta.get(name) is not None]
        return self.embedding_separator.join([*fields, document.content or ""])


def _placed(documents: Sequence[Document], ranked: Sequence[Placed]) -> List[Document]:
    return [replace(documents[index], score=score) for index, score in ranked]
