// Ranking-tailored policy optimisation: the agent, learning from decodings of its own
// (arXiv 2505.20316, section 4.3). The terms of the loss are those of rpo_objective.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/ranking.h"
#include "rsd/train/adamw.h"
#include "rsd/train/rpo_objective.h"

namespace rsd {

enum class Advantage { kReference, kGroup };

struct RpoOptions {
  std::size_t steps = 200;
  std::size_t requests_per_step = 2;  // at least 1
  std::size_t rollouts = 6;           // G, trajectories of a request; at least 1, kGroup needs 2
  std::size_t max_budget = 4;         // each request draws its T from 1 to this, or its items - 1
  std::size_t passes = 2;             // updates on the trajectories of one step; at least 1
  double learning_rate = 3e-4;
  std::size_t warm_up = 10;
  double gradient_norm = 1;
  RpoTerms terms;
  Advantage advantage = Advantage::kReference;
  std::size_t validate_every = 25;  // steps, and before the first one; 0: never
  std::uint64_t seed = 1;
  int threads = 1;
  AdamWOptions adamw;  // but for its learning rate, which follows the schedule
};

// The requests to learn from.
struct RpoEnvironment {
  std::size_t n_requests = 0;  // at least 1
  std::size_t n_held_out = 0;  // of these, the last ones: they only validate
  // The LLM's view of one of them. A scorer is let go before the next one is asked for.
  std::function<Result<std::unique_ptr<PositionScorer>>(std::size_t request)> open;
};

struct RpoState {
  std::size_t step = 0;
  AdamWState adamw;
  std::vector<float> weights;
  std::vector<float> best_weights;    // by validation; empty before the first one
  std::optional<double> best_return;  // of best_weights
};

// Deterministic: the same network, LLM and options give the same weights on the same machine,
// interrupted or not.
class RpoTraining {
 public:
  // Starts from `initial`, which also stays as the frozen reference. kInvalidArgument: an option
  // out of range.
  static Result<RpoTraining> create(RelevanceNetwork initial, RpoEnvironment environment,
                                    const RpoOptions& options);

  bool finished() const noexcept { return state_.step >= options_.steps; }
  const RpoState& state() const noexcept { return state_; }
  // kInvalidInput: of a network of another size, or with a weight
  // that is not finite.
  Result<void> restore(RpoState state);
  const RelevanceNetwork& network() const noexcept { return network_; }
  // With the best weights so far by validation; the current ones where there was none. The agent
  // that it starts from is one of those compared when it was validated before the first step.
  RelevanceNetwork best() const;

  // Means over the step's trajectories, or over their actions.
  struct Step {
    double mean_return = 0;
    double reference_return = 0;  // of the frozen agent, greedy, on the same requests
    // As they were before the last one of the step's updates:
    double loss = 0;
    double kl = 0;       // per action, before beta
    double entropy = 0;  // per action, in nats
    double clipped = 0;  // share of the actions
    double gradient_norm = 0;
    double learning_rate = 0;
  };
  // Fails when the LLM does, nothing has changed then, and with kRuntime when the training
  // diverges. Cost: for each request a prefill, K-2 encodings of one token where its target is not
  // known yet, and (rollouts + 1) * (T - 1) of up to K.
  Result<Step> step();

  bool is_validation_due() const noexcept;
  // The mean return of the greedy agent on the requests that are held out, with budgets of 1 up to
  // max_budget, all of the small ones and some of the large ones. Keeps the weights when they are
  // the best so far. Cost: as of a step over these requests with one rollout.
  Result<double> validate();

 private:
  RpoTraining(RelevanceNetwork initial, RpoEnvironment environment, const RpoOptions& options);

  struct Batch;
  Result<void> play(std::size_t request, std::uint64_t seed, Batch& batch);
  std::size_t most_encodings(const PositionScorer& scorer) const;
  Result<const Ranking*> target_of(std::size_t request, PositionScorer& scorer);
  Result<void> update(const Batch& batch, Step& step);

  RpoOptions options_;
  RpoEnvironment environment_;
  RelevanceNetwork network_;
  RelevanceNetwork reference_;
  RpoState state_;
  std::map<std::size_t, Ranking> targets_;  // of requests seen before
};

}  // namespace rsd
