// Collects training episodes from an LLM: the target ranking, and decodings with proposals of mixed
// quality, so that the agent learns from bad histories as well as from good ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/ranking_policy.h"
#include "rsd/rank/ranking.h"
#include "rsd/rank/request.h"
#include "rsd/trace/trace.h"

namespace rsd {

struct CollectOptions {
  std::size_t n_decodings = 4;  // per request; at least 1
  std::size_t budget = 4;       // encodings per decoding, the prefill included; at least 1
  std::uint64_t seed = 1;
  // Proposes in every second decoding, heuristics in the others. Null: heuristics in all of them.
  std::shared_ptr<const RankingPolicy> agent;
};

// The ranking that `ar` gives. Fails when the LLM does. Cost: a prefill and n_items - 2 encodings
// of one token.
Result<Ranking> target_ranking(PositionScorer& scorer);

// Decodes one request several times and returns the traces, each with the target ranking. The
// decodings use both drafts, kFirstToken and kInput, and their policies get noise of different
// strengths, from none to almost pure noise. Fails when the LLM does. Cost: 1 prefill, K-2
// encodings of one token, and n_decodings * (budget - 1) encodings of up to K.
Result<std::vector<Trace>> collect(const Request& request, PositionScorer& scorer,
                                   const CollectOptions& options);

// `policy` with Gumbel noise on its standardised scores: its order is a sample of the Plackett-Luce
// model with scores / temperature. The noise depends only on the seed and on the number of rounds
// in the history.
std::shared_ptr<const RankingPolicy> noisy_policy(std::shared_ptr<const RankingPolicy> policy,
                                                  double temperature, std::uint64_t seed);

}  // namespace rsd
