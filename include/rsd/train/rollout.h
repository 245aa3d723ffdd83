// Rolls out trajectories of the agent against an LLM.
#pragma once

#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/ranking.h"

namespace rsd {

// One ranking that the agent gave, and its input.
struct RolloutAction {
  AgentInput input;
  std::vector<std::size_t> ranking;  // of the input's items, best first
  double log_probability = 0;        // log P(ranking) under the agent that gave it
};

struct Trajectory {
  std::vector<RolloutAction> actions;  // the proposals of all encodings but the first, and the
                                       // answer
  Ranking answer;
};

struct RolloutOptions {
  std::size_t budget = 3;  // encodings, the prefill included; at least 1
  Draft draft = Draft::kFirstToken;
  int threads = 1;
  // Encodes a proposal that several trajectories make in the same round once for all of them. It
  // changes the LLM's batches, and so the rounding.
  bool shares_encodings = false;
};

// The source of a trajectory's rankings.
struct Actor {
  const RelevanceNetwork* agent = nullptr;
  std::mt19937_64* random = nullptr;  // to sample from the Plackett-Luce policy; null: take the
                                      // likeliest ranking
  // Which of its rankings are sampled, by their number from 0: those from the first up to the end.
  // The others are the likeliest.
  std::size_t first_sampled = 0;
  std::size_t end_sampled = std::numeric_limits<std::size_t>::max();
  // [n_rankings, n_items], by item: noise that is added to the scores of its first rankings, in
  // place of `random`. Actors with the same Gumbel noise sample with common random numbers. It
  // outlives the rollout.
  std::span<const std::vector<double>> noise = {};
};

// Rolls out one trajectory of a request per actor, concurrently: all share the first encoding, each
// later encoding is one batch, and neighbouring actors with the same agent are scored in one pass
// of it. A trajectory whose positions are all known early has fewer actions. Fails when the LLM
// does. Cost: 1 + actors * (budget - 1) encodings at most.
Result<std::vector<Trajectory>> roll_out(std::span<const Actor> actors, PositionScorer& scorer,
                                         const RolloutOptions& options);

}  // namespace rsd
