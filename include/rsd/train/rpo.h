// Ranking-tailored policy optimisation (RPO): the agent learns from its own decodings (arXiv
// 2505.20316, section 4.3). The terms of the loss are those of rpo_objective.h.
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

struct RpoBatch;  // internal

// The agent in training, and the frozen one that it is compared with.
struct RpoAgents {
  const RelevanceNetwork& agent;
  const RelevanceNetwork& reference;
};

// Which rankings of a trajectory are drawn from the policy, and so learned from.
enum class Sampled {
  kAllRounds,  // all, as in the paper: an advantage stands for the choices of all rounds together
  // One, of a round drawn evenly; the others are the likeliest. The difference to a greedy
  // reference is then that round's credit alone, since both are equal but for it while the agent is
  // the reference. The action counts T-fold, for the rounds that it stands for.
  kOneRound,
  // All, but the noise of all rounds except one is common to all trajectories of the request and
  // the reference, which plays with the noise of all rounds (common random numbers). Only that
  // round's action is learned from; it counts T-fold. The reference's return does not depend on
  // that action's own noise: a reference with the same noise in all rounds would bias the gradient,
  // to zero while the agent is the reference.
  kOneRoundCommonNoise,
};

struct RpoOptions {
  std::size_t steps = 200;
  std::size_t requests_per_step = 2;  // at least 1
  // G, trajectories of a request; at least 1. kGroup and kDeviation need 2. They are played 32 at a
  // time, the reference's included.
  std::size_t rollouts = 6;
  std::size_t max_budget = 4;  // each request draws its T from 1 to the smaller of this and
                               // its items - 1
  std::size_t passes = 2;      // updates on the trajectories of one step; at least 1
  double learning_rate = 3e-4;
  std::size_t warm_up = 10;
  double gradient_norm = 1;
  RpoTerms terms;
  Sampled sampled = Sampled::kAllRounds;
  ReturnKind return_kind = ReturnKind::kSpearman;
  Advantage advantage = Advantage::kReference;
  AdvantageScale advantage_scale = AdvantageScale::kNone;
  std::size_t validate_every = 25;  // in steps, and before the first one; 0: never
  std::uint64_t seed = 1;
  int threads = 1;
  AdamWOptions adamw;  // its learning rate is replaced by the schedule
};

// The requests to train and validate on.
struct RpoEnvironment {
  std::size_t n_requests = 0;  // at least 1
  std::size_t n_held_out = 0;  // the last ones of these, used only for validation
  // Opens a scorer for one of the requests. Each scorer is destroyed before the next one is opened.
  std::function<Result<std::unique_ptr<PositionScorer>>(std::size_t request)> open;
};

struct RpoState {
  std::size_t step = 0;
  AdamWState adamw;
  std::vector<float> weights;
  std::vector<float> best_weights;    // by validation; empty before the first validation
  std::optional<double> best_return;  // the mean return of best_weights, of RpoOptions::return_kind
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
  // Continues from `state`. kInvalidInput: weights of another size, or a weight that is not finite.
  Result<void> restore(RpoState state);
  const RelevanceNetwork& network() const noexcept { return network_; }
  // The network with the best validated weights so far; with the current ones before any
  // validation. The initial agent takes part in the comparison if it was validated before the first
  // step.
  RelevanceNetwork best() const;

  // Means over the step's trajectories, or over the actions that are learned from.
  struct Step {
    double mean_return = 0;
    double reference_return = 0;  // the frozen agent's on the same requests: greedy, or with the
                                  // common noise
    // Measured before the last of the step's updates:
    double loss = 0;
    double kl = 0;       // per action, before beta
    double entropy = 0;  // per action, in nats
    double clipped = 0;  // share of clipped actions
    double gradient_norm = 0;
    double learning_rate = 0;
  };
  // Makes one step. Fails when the LLM does, without any change, and with kRuntime when the
  // training diverges. Cost: for each request a prefill, K-2 encodings of one token unless its
  // target ranking is cached, one encoding for each 32 plays begun, and (rollouts + 1) * (T - 1)
  // encodings of up to K tokens; with one sampled round, proposals that are equal are encoded once.
  Result<Step> step();

  bool is_validation_due() const noexcept;
  // The mean return of the greedy agent on the held-out requests, over budgets from 1 to max_budget
  // (all small ones and some large ones). Keeps the weights if they are the best so far. Costs as
  // much as a step over these requests with one rollout.
  Result<double> validate();

 private:
  RpoTraining(RelevanceNetwork initial, RpoEnvironment environment, const RpoOptions& options);

  Result<void> play_request(std::size_t request, std::uint64_t seed, RpoBatch& batch, Step& sums);
  Result<const Ranking*> target_of(std::size_t request, PositionScorer& scorer);
  Result<void> update(const RpoBatch& batch, Step& step);

  RpoOptions options_;
  RpoEnvironment environment_;
  RelevanceNetwork network_;
  RelevanceNetwork reference_;
  RpoState state_;
  std::map<std::size_t, Ranking> targets_;  // target rankings of requests seen before
};

}  // namespace rsd
