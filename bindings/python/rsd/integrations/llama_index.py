"""A node postprocessor of LlamaIndex (llama-index-core).

    from rsd.integrations.llama_index import RsdRerank
    engine = index.as_query_engine(similarity_top_k=20, node_postprocessors=[RsdRerank(top_n=5)])
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from llama_index.core.bridge.pydantic import ConfigDict, Field, field_validator
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from .._errors import error_of
from ._ranking import Placed, rank_texts, rank_texts_async, ranker_of


class RsdRerank(BaseNodePostprocessor):
    """Ranks nodes by their content.

    ranker:  an rsd.Ranker or rsd.RemoteRanker, the model of one to load, or a server's URL.
    top_n:   how many nodes to return, 1 or more; None = all.
    metadata_mode: which metadata the content begins with: by default those that an embedding model would
             read, as in LlamaIndex's own rerankers; MetadataMode.NONE for the text alone.
    options: of Ranker.rank(), such as {"budget": 2, "deadline_ms": 500}.

    Returned are the nodes themselves, in new NodeWithScore objects with new scores; those that were given
    stay as they are. Raises InvalidRequest without a query, and what Ranker.rank() raises.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    ranker: Any = Field(default=None, validate_default=True, exclude=True)
    top_n: Optional[int] = Field(default=None, ge=1)
    metadata_mode: MetadataMode = MetadataMode.EMBED
    options: Dict[str, Any] = Field(default_factory=dict)

    _load = field_validator("ranker")(ranker_of)

    @classmethod
    def class_name(cls) -> str:
        return "RsdRerank"

    def _postprocess_nodes(self, nodes: List[NodeWithScore],
                           query_bundle: Optional[QueryBundle] = None) -> List[NodeWithScore]:
        query = _query_of(query_bundle)
        return _placed(nodes, rank_texts(self.ranker, query, self._texts_of(nodes), self.top_n,
                                         self.options))

    async def _apostprocess_nodes(self, nodes: List[NodeWithScore],
                                  query_bundle: Optional[QueryBundle] = None) -> List[NodeWithScore]:
        query = _query_of(query_bundle)
        return _placed(nodes, await rank_texts_async(self.ranker, query, self._texts_of(nodes),
                                                     self.top_n, self.options))

    def _texts_of(self, nodes: Sequence[NodeWithScore]) -> List[str]:
        return [node.node.get_content(metadata_mode=self.metadata_mode) for node in nodes]


def _query_of(query_bundle: Optional[QueryBundle]) -> str:
    if query_bundle is None:
        raise error_of("invalid_argument", "there is no query; give query_bundle or query_str")
    return query_bundle.query_str


def _placed(nodes: Sequence[NodeWithScore], ranked: Sequence[Placed]) -> List[NodeWithScore]:
    return [nodes[index].model_copy(update={"score": score}) for index, score in ranked]
