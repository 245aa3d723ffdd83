#include "rsd/train/rpo_objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {

std::vector<double> reference_advantages(std::span<const double> returns, double reference_return) {
  std::vector<double> advantages(returns.begin(), returns.end());
  for (double& advantage : advantages)
    advantage -= reference_return;
  return advantages;
}

std::vector<double> group_advantages(std::span<const double> returns) {
  RSD_CHECK(!returns.empty(), "a group without trajectories");
  const double sum = std::accumulate(returns.begin(), returns.end(), 0.0);
  return reference_advantages(returns, sum / static_cast<double>(returns.size()));
}

Surrogate clipped_surrogate(double log_probability, double old_log_probability, double advantage,
                            double clip) {
  const double ratio = std::exp(log_probability - old_log_probability);
  const double clipped = std::clamp(ratio, 1 - clip, 1 + clip) * advantage;
  if (ratio * advantage <= clipped) {
    return {.value = ratio * advantage, .derivative = ratio * advantage};
  }
  return {.value = clipped, .derivative = 0};
}

ActionLoss action_loss(std::span<const double> scores, const Action& action,
                       const RpoTerms& terms) {
  ValueAndGradient likelihood = log_likelihood(scores, action.ranking);
  const ValueAndGradient kl = stagewise_kl(scores, action.reference_scores, action.ranking);
  const Surrogate surrogate =
      clipped_surrogate(likelihood.value, action.old_log_probability, action.advantage, terms.clip);
  ActionLoss result{.loss = {},
                    .surrogate = surrogate.value,
                    .kl = kl.value,
                    .entropy = stagewise_entropy(scores, action.ranking),
                    .clipped = surrogate.derivative == 0 && action.advantage != 0};
  result.loss.value = -surrogate.value + terms.beta * kl.value;
  result.loss.gradient = std::move(likelihood.gradient);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    double& slope = result.loss.gradient[i];
    slope = -surrogate.derivative * slope + terms.beta * kl.gradient[i];
  }
  return result;
}

}  // namespace rsd
