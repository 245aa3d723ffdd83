// Relevance metrics of a ranking, computed as trec_eval (through pytrec_eval) does.
//
// `grades`: relevance of the ranked items, best-ranked first; nullopt = unjudged, which counts as
// not relevant. `judged`: the grades of every judged item of the query, ranked or not. An item is
// relevant when its grade is at least 1; negative grades count as 0. Ties can't occur: a ranking is
// a strict order. Pure functions; all return 0 when the query has no relevant item.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rsd/rank/ranking.h"
#include "rsd/rank/request.h"

namespace rsd {

// The labels of one query, arranged for the metrics below.
struct LabelledRanking {
  std::vector<std::optional<int>> grades;  // by position, best-ranked first
  std::vector<int> judged;                 // all judged items of the query, any order
};

// `relevance` comes from the request or from a qrels file. Throws LogicError when the sizes of
// `ranking` and `request.candidates` differ.
LabelledRanking label(const Ranking& ranking, const Request& request,
                      const std::map<std::string, int>& relevance);

// Linear gain, discount log2(rank + 1), ideal over all judged items cut at k (ndcg_cut.k).
// k beyond the list takes the whole list; k < 1 throws LogicError.
double ndcg_at_k(const LabelledRanking& labelled, int k);
// 1 / rank of the first relevant item (recip_rank).
double reciprocal_rank(const LabelledRanking& labelled);
// Relevant items among the first k over all relevant judged items (recall.k); k as above.
double recall_at_k(const LabelledRanking& labelled, int k);

}  // namespace rsd
