"""Answers as runs, for the tools that evaluate them: ranx, ir-measures, trec_eval. Needs none of them.

    from rsd.integrations.runs import run_of, write_trec
    run = run_of({"q1": answer, "q2": other})
    ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), "ndcg@10")
    ir_measures.calc_aggregate([nDCG@10], qrels, run)

Rank with ids=, or with documents that have ids: the ids of documents are those of the qrels.
"""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, Mapping, TextIO, Tuple, Union

from .._answer import Answer
from .._errors import error_of

#: Answers by the id of their query, or pairs of both, such as zip(qids, ranker.rank_many(requests)).
Answers = Union[Mapping[str, Answer], Iterable[Tuple[str, Answer]]]


def run_of(answers: Answers) -> Dict[str, Dict[str, float]]:
    """{query's id: {document's id: score}}, best first.

    Scores are (K - position) / K and not the relevance, since measures sort by them, and a relevance
    that is a probability need not decrease along the ranking. Raises InvalidRequest if a query occurs twice.
    """
    run: Dict[str, Dict[str, float]] = {}
    for qid, answer in _pairs(answers):
        if qid in run:
            raise error_of("invalid_argument", f"the query {qid!r} has two answers")
        run[qid] = {result.id: result.score for result in answer}
    return run


def write_trec(answers: Answers, file: TextIO, tag: str = "rsd") -> None:
    """Writes a run in TREC's format, `qid Q0 docno rank score tag`, with ranks from 1. Raises InvalidRequest
    for ids and tags that the format can't have, before it writes the query in question."""
    _check_word("tag", tag)
    for qid, scores in run_of(answers).items():
        _check_word("the query's id", qid)
        for own_id in scores:
            _check_word(f"a document's id of query {qid}", own_id)
        file.writelines(f"{qid} Q0 {own_id} {rank} {score!r} {tag}\n"
                        for rank, (own_id, score) in enumerate(scores.items(), start=1))


def _pairs(answers: Answers) -> Iterator[Tuple[str, Answer]]:
    pairs = answers.items() if isinstance(answers, Mapping) else answers
    return ((str(qid), answer) for qid, answer in pairs)


def _check_word(name: str, word: str) -> None:
    if len(word.split()) != 1 or word != word.strip():
        raise error_of("invalid_argument", f"{name} is {word!r}; TREC's format has no blanks in it")
