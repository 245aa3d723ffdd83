// Episodes from an LLM: its target ranking, and decodings whose proposals are of mixed quality, so
// that the agent learns from bad histories as well as from good ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/trace.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/ranking_policy.h"
#include "rsd/rank/ranking.h"
#include "rsd/rank/request.h"

namespace rsd {

struct CollectOptions {
  std::size_t n_decodings = 4;  // per request; at least 1
  std::size_t budget = 4;       // encodings each, the prefill's included; at least 1
  std::uint64_t seed = 1;
  // Proposes in every second decoding; the other ones are by heuristics. Null: by heuristics only.
  std::shared_ptr<const RankingPolicy> agent;
};

// What `ar` gives. Fails when the LLM does. Cost: a prefill and n_items - 2 encodings of one token.
Result<Ranking> target_ranking(PositionScorer& scorer);

// The decodings of one request, each with the target ranking. They start from the input order and
// from the first token in turn, and their proposals are by a policy with noise that goes from none
// to nearly all. Fails when the LLM does. Cost: 1 prefill, K-2 encodings of one token, and
// n_decodings * (budget - 1) encodings of up to K.
Result<std::vector<Trace>> collect(const Request& request, PositionScorer& scorer,
                                   const CollectOptions& options);

// `policy` with Gumbel noise on its scores, which are standardised before: a sample of the
// Plackett-Luce model with scores / temperature. The noise depends on the seed and on the number of
// rounds of the history only.
std::shared_ptr<const RankingPolicy> noisy_policy(std::shared_ptr<const RankingPolicy> policy,
                                                  double temperature, std::uint64_t seed);

}  // namespace rsd
