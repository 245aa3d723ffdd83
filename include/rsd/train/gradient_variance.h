// How noisy RPO's estimate of its gradient is, by what a return is compared with: the paper's claim
// of a lower variance (arXiv 2505.20316, section 4.3), measured at fixed weights.
#pragma once

#include <cstddef>
#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/ranking.h"
#include "rsd/train/rpo.h"
#include "rsd/train/rpo_objective.h"

namespace rsd {

// How the actions of a play are credited for its answer.
struct Credit {
  ReturnKind return_kind = ReturnKind::kSpearman;
  Advantage advantage = Advantage::kReference;
  AdvantageScale scale = AdvantageScale::kNone;
};

struct VarianceOptions {
  // The plays: rollouts, max_budget, terms, sampled, seed and threads. What a Credit says is taken
  // from there, and what a training needs besides is not used.
  RpoOptions rpo;
  std::size_t batches = 32;  // independent estimates; at least 2
  std::vector<Credit> credits{{}};
};

// The estimates of one request's gradient, each from G plays, as vectors over all weights.
struct GradientVariance {
  double variance = 0;      // the trace of the covariance: the sum over weights of the unbiased
                            // variance, at least 0
  double squared_mean = 0;  // of the expectation's length, corrected for the variance of the mean
                            // over batches: unbiased, so it may be below 0
};

// For each of the credits, from the same plays: the gradient of the first update that a training
// makes whose weights are those of `agents.agent`, before its norm is clipped. Differences between
// credits are then not due to other plays. The same options give the same plays. kInvalidArgument:
// an option of RPO out of range. Other errors are those of the LLM. Cost: `batches` times that of a
// request of a step in RpoTraining, and one gradient for each batch and credit.
Result<std::vector<GradientVariance>> measure_gradient_variance(const RpoAgents& agents,
                                                                PositionScorer& scorer,
                                                                const Ranking& target,
                                                                const VarianceOptions& options);

}  // namespace rsd
