// The terms of ranking-tailored policy optimisation (RPO; arXiv 2505.20316, section 4.3).
//
// A trajectory is one decoding of T rounds: T actions, each a whole ranking drawn from the agent's
// Plackett-Luce policy over the pending items; the last one is the answer. All its actions share
// one advantage, computed from the return R = spearman_return(answer, target) (rank/agreement.h).
// With pi the agent, pi_old the agent that drew the ranking r, pi_ref the frozen initial agent and
// A the advantage, the loss of an action, to be minimised, is
//
//   L = -min(rho A, clip(rho, 1 - eps, 1 + eps) A) + beta KL(pi || pi_ref),   rho = pi(r) /
//   pi_old(r)
//
// with the KL stage by stage along r (plackett_luce.h). Pure functions; safe from any thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rsd/train/plackett_luce.h"

namespace rsd {

// A_g = R_g - R_ref: the gain over the frozen initial agent, decoded greedily on the same request.
// Its mean over the group is not zero, so a request on which all trajectories gain still gives a
// gradient.
std::vector<double> reference_advantages(std::span<const double> returns, double reference_return);

// A_g = R_g - mean R: the gain over the group's mean. The ablation (GRPO without the division by
// the standard deviation, so that both advantages are in units of the return).
std::vector<double> group_advantages(std::span<const double> returns);

// min(rho A, clip(rho, 1 - eps, 1 + eps) A), and its derivative with respect to log pi(r): rho A if
// nothing is clipped, else 0.
struct Surrogate {
  double value = 0;
  double derivative = 0;
};
Surrogate clipped_surrogate(double log_probability, double old_log_probability, double advantage,
                            double clip);

struct RpoTerms {
  double clip = 0.2;  // eps
  // Weight of the divergence from the frozen agent. Advantages are differences of returns, some
  // thousandths where the LLM ranks well, and the optimal policy is proportional to pi_ref exp(A /
  // beta): a weight much larger than the advantages keeps the agent at its initial weights.
  double beta = 0.002;
};

// One action: the ranking drawn, its probability under the old agent, and its advantage.
struct Action {
  std::vector<std::size_t> ranking;      // of the pending items, numbered 0..n-1
  std::vector<double> reference_scores;  // the frozen agent's
  double old_log_probability = 0;        // log pi_old(r)
  double advantage = 0;
};

struct ActionLoss {
  ValueAndGradient loss;  // L above, with respect to `scores`
  double surrogate = 0;
  double kl = 0;       // before beta
  double entropy = 0;  // of the policy along r; not part of the loss
  bool clipped = false;
};
ActionLoss action_loss(std::span<const double> scores, const Action& action, const RpoTerms& terms);

}  // namespace rsd
