// Supervised initialisation of the agent: the likelihood of the target order under its policy
// (arXiv 2505.20316, section 4.3).
//
// An example is a state: the first rounds of an episode, and the target order of the items that are
// still pending after them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/train/adamw.h"
#include "rsd/train/episode.h"

namespace rsd {

// With P of Plackett-Luce and N items in the request. The divisors don't depend on the number of
// pending items, so each choice or pair has the same weight in every state.
enum class SupervisedLoss {
  kLikelihood,  // -log P(order | scores) / (N - 1): the paper's
  kInversions,  // expected_inversions / (N (N - 1) / 2): the expected (1 - Kendall's tau) / 2 of a
                // ranking drawn from P
};

struct SupervisedOptions {
  SupervisedLoss loss = SupervisedLoss::kLikelihood;
  std::size_t steps = 3000;  // at most
  std::size_t batch = 32;    // states per step
  double learning_rate = 1e-3;
  std::size_t warm_up = 100;
  double gradient_norm = 1;          // larger gradients are scaled down to it
  std::size_t validate_every = 100;  // steps
  std::size_t patience = 8;          // consecutive validations without a gain that end the training
  std::uint64_t seed = 1;
  int threads = 1;
  AdamWOptions adamw;  // its learning rate is replaced by the schedule
};

// Figures on the held-out requests (hold_out.h).
struct Validation {
  double loss = 0;
  // Between the whole ranking, known prefix included, and the target; the best weights are chosen
  // by it.
  double kendall_tau = 0;
  double heuristic_kendall_tau = 0;  // the same for the heuristic that the agent starts from
};

// The state that a checkpoint keeps, see checkpoint.h.
struct SupervisedState {
  std::size_t step = 0;
  AdamWState adamw;
  std::vector<float> weights;
  std::vector<float> best_weights;
  std::optional<double> best_kendall_tau;
  std::size_t without_gain = 0;  // consecutive validations without a gain
};

// Deterministic: the same network, episodes and options give the same weights on the same machine,
// interrupted or not.
class SupervisedTraining {
 public:
  // kInvalidArgument: an option out of range; kInvalidInput: no episode to train on. Without a
  // held-out episode with items left to order there are no validations: all steps are made, and the
  // last weights are the best.
  static Result<SupervisedTraining> create(RelevanceNetwork network, std::vector<Episode> episodes,
                                           const SupervisedOptions& options);

  bool finished() const noexcept;
  const SupervisedState& state() const noexcept { return state_; }
  // Continues from `state`. kInvalidInput: weights of another size, or a weight that is not finite.
  Result<void> restore(SupervisedState state);

  struct Step {
    double loss = 0;
    double gradient_norm = 0;
    double learning_rate = 0;
  };
  // Makes one step and returns the mean loss of its states before the update. kRuntime when the
  // training diverges.
  Result<Step> step();

  bool validates() const noexcept { return !validation_.empty(); }
  bool is_validation_due() const noexcept;
  // Computes the figures, counts for patience, and keeps the weights if they are the best so far.
  // Call it only if validates().
  Validation validate();

  // The network with the best weights so far; with the current ones before any validation.
  RelevanceNetwork best() const;

 private:
  SupervisedTraining(RelevanceNetwork network, const SupervisedOptions& options);

  SupervisedOptions options_;
  RelevanceNetwork network_;
  std::vector<Episode> training_;
  std::vector<Episode> validation_;
  SupervisedState state_;
};

}  // namespace rsd
