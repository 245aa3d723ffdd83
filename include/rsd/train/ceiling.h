// How much better proposals could make an agent's answers: the most that reinforcement could gain.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/ranking.h"

namespace rsd {

struct CeilingOptions {
  std::size_t budget = 3;    // encodings, the prefill included; at least 2, since with one there is
                             // no proposal
  std::size_t samples = 32;  // of each proposal; at least 1
  std::uint64_t seed = 1;
  int threads = 1;
};

// Kendall's tau of answers with the target, in [-1, 1]. The answer itself is the agent's likeliest
// ranking throughout; only proposals are replaced.
struct Ceiling {
  double greedy = 0;  // every proposal is the likeliest
  std::vector<double>
      best_by_round;  // budget - 1: that round's proposal is the best of the samples, the
                      // proposals before and after it are the likeliest
  std::vector<double> mean_by_round;  // the same, with the mean of the samples
  double best = 0;                    // the best of all these plays, `greedy` among them

  friend bool operator==(const Ceiling&, const Ceiling&) = default;
};

// Plays a request with each proposal sampled from the agent's Plackett-Luce policy, one at a time.
// The best is chosen by the target, so it bounds what an agent that doesn't know the target could
// reach with proposals near these. (A proposal that equals the target always makes everything
// known: an oracle's tau is 1.) The same seed gives the same result. Errors: those of the LLM.
// Cost: 1 + (budget - 1) * (1 + samples * (budget - 1)) encodings at most, in batches of 16 plays.
Result<Ceiling> measure_ceiling(const RelevanceNetwork& agent, PositionScorer& scorer,
                                const Ranking& target, const CeilingOptions& options);

}  // namespace rsd
