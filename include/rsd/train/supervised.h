// Supervised initialisation of the agent: the likelihood of the target order under its policy
// (arXiv 2505.20316, section 4.3).
//
// An example is a state: the first rounds of an episode, and the target's order of what is not
// known after them.
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

// With P of Plackett-Luce and N items in the request; a choice or a pair weighs the same whether
// few are left or many.
enum class SupervisedLoss {
  kLikelihood,  // -log P(order | scores) / (N - 1): the paper's
  kInversions,  // expected_inversions / (N (N - 1) / 2): (1 - Kendall's tau) / 2 of what P draws
};

struct SupervisedOptions {
  SupervisedLoss loss = SupervisedLoss::kLikelihood;
  std::size_t steps = 3000;  // at most
  std::size_t batch = 32;    // states per step
  double learning_rate = 1e-3;
  std::size_t warm_up = 100;
  double gradient_norm = 1;          // larger gradients are scaled down to it
  std::size_t validate_every = 100;  // steps
  std::size_t patience = 8;          // validations without a better one end the training
  std::uint64_t seed = 1;
  int threads = 1;
  AdamWOptions adamw;  // but for its learning rate, which follows the schedule
};

// On the requests that are held out (hold_out.h).
struct Validation {
  double loss = 0;
  // Of the whole ranking, what is known included, with the target; what the best is chosen by.
  double kendall_tau = 0;
  double heuristic_kendall_tau = 0;  // with the heuristic that the agent starts from
};

// What goes on after an interruption; see checkpoint.h.
struct SupervisedState {
  std::size_t step = 0;
  AdamWState adamw;
  std::vector<float> weights;
  std::vector<float> best_weights;
  std::optional<double> best_kendall_tau;
  std::size_t without_gain = 0;  // validations since
};

// Deterministic: the same network, episodes and options give the same weights on the same machine,
// interrupted or not.
class SupervisedTraining {
 public:
  // kInvalidArgument: an option out of range; kInvalidInput: no episode to train on. Without one
  // that is held out and leaves something to order there are no validations: all steps are made,
  // and the last weights are the best.
  static Result<SupervisedTraining> create(RelevanceNetwork network, std::vector<Episode> episodes,
                                           const SupervisedOptions& options);

  bool finished() const noexcept;
  const SupervisedState& state() const noexcept { return state_; }
  // Goes on from there. kInvalidInput: of a network of another size, or with a weight
  // that is not finite.
  Result<void> restore(SupervisedState state);

  struct Step {
    double loss = 0;
    double gradient_norm = 0;
    double learning_rate = 0;
  };
  // The mean loss of the step's states, before it. kRuntime when the training diverges.
  Result<Step> step();

  bool validates() const noexcept { return !validation_.empty(); }
  bool is_validation_due() const noexcept;
  // Counts for patience, and keeps the weights when they are the best so far. Call it only where
  // validates().
  Validation validate();

  // With the best weights so far; the current ones before any validation.
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
