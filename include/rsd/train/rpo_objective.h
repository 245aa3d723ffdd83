// The terms of ranking-tailored policy optimisation (RPO; arXiv 2505.20316, section 4.3).
//
// A trajectory is one decoding of T rounds: T actions, each a whole ranking drawn from the agent's
// Plackett-Luce policy over the pending items; the last one is the answer. All its actions share
// one advantage, computed from the return R of the answer. In the paper, R =
// spearman_return(answer, target) (rank/agreement.h), and the advantage is that over the frozen
// agent; the other returns, advantages and scales are ours. With pi the agent, pi_old the agent
// that drew the ranking r, pi_ref the frozen initial agent and A the advantage, the loss of an
// action, to be minimised, is
//
//   L = -min(rho A, clip(rho, 1 - eps, 1 + eps) A) + beta KL(pi || pi_ref),   rho = pi(r) /
//   pi_old(r)
//
// with the KL stage by stage along r (plackett_luce.h). Pure functions; safe from any thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rsd/rank/ranking.h"
#include "rsd/train/plackett_luce.h"

namespace rsd {

// What the answer of a trajectory is worth, in [0, 1]; 1 is the target ranking itself.
enum class ReturnKind {
  kSpearman,    // spearman_return, the paper's. Close to the target it saturates: of 20 items, two
                // neighbours in the wrong order cost 0.0008
  kInversions,  // 1 - kemeny_distance: every wrong pair costs the same
  // 1 - log(1 + d) / log(1 + largest d), with d the sum of squared displacements: up to a shift and
  // a scale -log(1 - R + 1 / largest d) with the paper's R. Halving the error is worth the same
  // near the target as far from it.
  kLogError,
};
// LogicError if the sizes differ. O(n^2).
double return_of(ReturnKind kind, const Ranking& answer, const Ranking& target);

// What the return of a trajectory is compared with. The baseline changes the variance of the
// gradient estimate. It does not change its expectation, except that the group's mean shrinks it by
// 1 - 1 / G, since each trajectory is part of the mean that it is compared with.
enum class Advantage {
  kReference,  // reference_advantages below, the paper's
  kGroup,      // group_advantages below
  kNone,       // nothing: A_g = R_g
};

enum class AdvantageScale {
  kNone,       // advantages are differences of returns, the paper's
  kDeviation,  // scaled_by_deviation below
};

// A_g = R_g - R_ref: the gain over the frozen initial agent on the same request, decoded greedily,
// or with the noise that the trajectories share.
// Its mean over the group is not zero, so a request on which all trajectories gain still gives a
// gradient.
std::vector<double> reference_advantages(std::span<const double> returns, double reference_return);

// A_g = R_g - mean R: the gain over the group's mean. The ablation (GRPO without the division by
// the standard deviation, so that both advantages are in units of the return).
std::vector<double> group_advantages(std::span<const double> returns);

// A_g / sd, with sd the standard deviation of the request's returns (divided by G), so that
// requests on which trajectories hardly differ count as much as others. If all returns are equal,
// all advantages are 0: such a request does not show which ranking is better.
std::vector<double> scaled_by_deviation(std::vector<double> advantages,
                                        std::span<const double> returns);

// The advantages of a request's trajectories. kGroup and kDeviation: at least one trajectory.
std::vector<double> advantages_of(Advantage advantage, AdvantageScale scale,
                                  std::span<const double> returns, double reference_return);

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
  // The number of actions of its trajectory that it stands for, where not all are learned from
  // (Sampled::kOneRound in rpo.h): a sum over rounds is estimated from one of them.
  double weight = 1;
};

struct ActionLoss {
  ValueAndGradient loss;  // L above, with respect to `scores`; without the action's weight
  double surrogate = 0;
  double kl = 0;       // before beta
  double entropy = 0;  // of the policy along r; not part of the loss
  bool clipped = false;
};
ActionLoss action_loss(std::span<const double> scores, const Action& action, const RpoTerms& terms);

}  // namespace rsd
