// Trajectories of the agent against an LLM.
#pragma once

#include <cstddef>
#include <random>
#include <span>
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
  Draft draft = Draft::kFirstToken;
  int threads = 1;
};

// Who gives the rankings of a trajectory.
struct Actor {
  const RelevanceNetwork* agent = nullptr;
  std::mt19937_64* random = nullptr;  // samples from the Plackett-Luce policy; null: the likeliest
};

// A trajectory of one request for each of the actors, side by side: they share the first encoding,
// each later one is a batch of all, and an agent scores for all actors in a row that have it at
// once. Fewer actions where all is known early. Fails when the LLM does.
// Cost: 1 + actors * (budget - 1) encodings at most.
Result<std::vector<Trajectory>> roll_out(std::span<const Actor> actors, PositionScorer& scorer,
                                         const RolloutOptions& options);

}  // namespace rsd
