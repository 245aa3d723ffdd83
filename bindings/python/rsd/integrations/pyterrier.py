"""A transformer of PyTerrier (python-terrier).

    from rsd.integrations.pyterrier import RsdReRanker
    pipeline = bm25 % 50 >> pt.text.get_text(dataset, "text") >> RsdReRanker()
    pt.Experiment([bm25, pipeline], topics, qrels, ["ndcg_cut_10"])
"""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

import pandas as pd
import pyterrier as pt

from ._ranking import Given, ranker_of, without_llm

#: (row of the query's frame, score, relevance) by place, best first.
Row = Tuple[int, float, Optional[float]]


class RsdReRanker(pt.Transformer):
    """Ranks the documents of each query by their text.

    ranker:     an rsd.Ranker or rsd.RemoteRanker, the model of one to load, or a server's URL. A Ranker
                with parallel=N ranks N queries at a time.
    text_field: the column with the texts; missing texts are ranked last.
    options:    of Ranker.rank(), such as {"budget": 2, "top_n": 10}.

    Takes frames with the columns qid, query, docno and text_field, in the first stage's order. Returns the
    same rows and columns, best first for each query, with new `rank` (from 0, as in PyTerrier), `score`
    and `relevance`. `score` is (K - position) / K and not the relevance, since measures sort by it, and a
    relevance that is a probability need not decrease along the ranking.

    Raises what Ranker.rank() raises, such as InvalidRequest for a blank query.
    """

    def __init__(self, ranker: Given = None, *, text_field: str = "text",
                 options: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__()
        self.ranker = ranker_of(ranker)
        self.text_field = text_field
        self.options = dict(options or {})

    def transform(self, run: pd.DataFrame) -> pd.DataFrame:
        """The rows of `run`, ranked."""
        pt.validate.columns(run, includes=["qid", "query", "docno", self.text_field])
        groups = [group for _, group in run.groupby("qid", sort=False)]
        ranked = [self._placed(group, rows) for group, rows in zip(groups, self._rank(groups))]
        return pd.concat(ranked, ignore_index=True) if ranked else self._placed(run, [])

    def _rank(self, groups: Sequence[pd.DataFrame]) -> Iterator[List[Row]]:
        """For each query, in order."""
        lists = [(group["query"].iloc[0], group[self.text_field].fillna("").tolist())
                 for group in groups]
        alone = [without_llm(texts, None) for _, texts in lists]
        answers = self.ranker.iter_many(
            (one for one, rows in zip(lists, alone) if rows is None), **self.options)
        for rows in alone:
            if rows is not None:
                yield [(row, (len(rows) - place) / len(rows), None) for place, (row, _) in enumerate(rows)]
            else:
                yield [(result.index, result.score, result.relevance) for result in next(answers)]

    def _placed(self, group: pd.DataFrame, rows: Sequence[Row]) -> pd.DataFrame:
        indices, scores, relevance = zip(*rows) if rows else ((), (), ())
        return group.iloc[list(indices)].assign(
            score=pd.array(scores, dtype="float64"), rank=range(len(rows)),
            relevance=pd.Series(relevance, dtype="float64").array)
