// The plays of RPO, and the gradient of its loss on them. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/ranking.h"
#include "rsd/train/rollout.h"
#include "rsd/train/rpo.h"
#include "rsd/train/rpo_objective.h"

namespace rsd {

// kInvalidArgument: an option out of range.
Result<void> check_options(const RpoOptions& options);

// The largest budget with which a request is played: n_items - 1, after which all positions are
// known, and at most `max_budget`.
std::size_t largest_budget(std::size_t n_items, std::size_t max_budget);

struct Play {
  Trajectory trajectory;
  // The actions that are learned from: those in [first_learned, end_learned) that it has.
  std::size_t first_learned = 0;
  std::size_t end_learned = 0;
};

// One request, played by the agent and by the reference.
struct RequestPlays {
  std::vector<Play> plays;
  Trajectory reference;
  double weight = 1;  // of each action that is learned from (Action::weight)
};

// Plays a request `options.rollouts` times with a budget that `seed` draws, and once more with the
// reference. Errors: those of the LLM. The cost is that of roll_out(), once for
// each 32 rollouts.
Result<RequestPlays> play(const RpoAgents& agents, PositionScorer& scorer,
                          const RpoOptions& options, std::uint64_t seed);

// The actions that one gradient is computed from.
struct RpoBatch {
  std::vector<AgentInput> inputs;
  std::vector<Action> actions;      // one per input
  std::vector<std::size_t> owners;  // for each action the number of its trajectory in the batch
  std::size_t n_trajectories = 0;   // those without an action that is learned from included

  // Adds the plays of one request. `advantages` has one value per play.
  void add(RequestPlays&& played, std::span<const double> advantages);
  // Computes the scores of the frozen agent for all actions.
  void compare_with(const RelevanceNetwork& reference, int threads);
};

// The gradient of the mean loss per trajectory with respect to the agent's weights. The other
// members are means per action, except for the loss.
struct RpoGradient {
  std::vector<float> gradient;
  double loss = 0;
  double kl = 0;
  double entropy = 0;
  double clipped = 0;  // share of actions
};
// `batch` has at least one action, and the scores of the frozen agent. One pass of the network
// forward, one forward and backward.
RpoGradient gradient_of(const RelevanceNetwork& agent, const RpoBatch& batch, const RpoTerms& terms,
                        int threads);

}  // namespace rsd
