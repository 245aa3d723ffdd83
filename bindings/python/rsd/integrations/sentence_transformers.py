"""CrossEncoder.rank() of sentence-transformers, with an LLM that reads the whole list in place of a
cross-encoder that scores pairs. Needs neither sentence-transformers nor torch.

    from rsd.integrations.sentence_transformers import CrossEncoder
    hits = CrossEncoder().rank("green tea", ["Steep it.", "Boil it."], return_documents=True)
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from ._ranking import Given, checked_top_n, rank_texts, ranker_of

Hit = Dict[str, Union[int, float, str]]


class CrossEncoder:
    """Has rank() alone. There is no predict(): the scores of this LLM compare the documents of one list,
    so a pair by itself has none.

    model_name_or_path: an rsd.Ranker or rsd.RemoteRanker, the model of one to load, or a server's URL.
    options: of Ranker.rank(), such as {"budget": 2, "deadline_ms": 500}.
    """

    def __init__(self, model_name_or_path: Given = None, *,
                 options: Optional[Mapping[str, Any]] = None) -> None:
        self.ranker = ranker_of(model_name_or_path)
        self.options = dict(options or {})

    def rank(self, query: str, documents: Sequence[str], top_k: Optional[int] = None,
             return_documents: bool = False, batch_size: int = 32,
             show_progress_bar: Optional[bool] = None, num_workers: int = 0) -> List[Hit]:
        """The first top_k documents, best first: {"corpus_id": place in `documents` from 0, "score"}, and
        "text" with return_documents.

        top_k: 1 or more; None = all.
        batch_size, show_progress_bar, num_workers: for callers that give them; a list is one request here.

        Raises what Ranker.rank() raises.
        """
        ranked = rank_texts(self.ranker, query, documents, checked_top_n(top_k, "top_k"), self.options)
        hits: List[Hit] = [{"corpus_id": index, "score": score} for index, score in ranked]
        if return_documents:
            for hit in hits:
                hit["text"] = documents[hit["corpus_id"]]
        return hits
