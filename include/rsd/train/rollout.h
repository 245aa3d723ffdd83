// Trajectories of the agent against an LLM.
#pragma once

#include <cstddef>
#include <optional>
#include <random>
#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/ranking.h"

namespace rsd {

// One ranking that the agent gave, and what it saw.
struct RolloutAction {
  AgentInput input;
  std::vector<std::size_t> ranking;  // of the input's items, best first
  double log_probability = 0;        // under the agent that gave it
};

struct Trajectory {
  std::vector<RolloutAction> actions;  // a proposal for each encoding but the first, and the answer
  Ranking answer;
};

struct RolloutOptions {
  std::size_t budget = 3;  // encodings, the prefill's included; at least 1
  std::size_t count = 1;   // trajectories that are sampled side by side; at least 1
  Draft draft = Draft::kFirstToken;
  int threads = 1;
};

// options.count trajectories of one request, side by side: the agent scores them in one batch, and
// they share the first encoding. `random` draws the rankings from the agent's Plackett-Luce policy.
// Fewer actions where all is known early. Fails when the LLM does.
// Cost: 1 + count * (budget - 1) encodings at most.
Result<std::vector<Trajectory>> sample_trajectories(const RelevanceNetwork& agent,
                                                    PositionScorer& scorer,
                                                    const RolloutOptions& options,
                                                    std::mt19937_64& random);

// The one that always takes the likeliest ranking, as decoding does; whatever options.count is.
Result<Trajectory> greedy_trajectory(const RelevanceNetwork& agent, PositionScorer& scorer,
                                     const RolloutOptions& options);

}  // namespace rsd
