#include "rsd/train/rpo_objective.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/rank/agreement.h"

namespace rsd {
namespace {

double log_error_return(const Ranking& answer, const Ranking& target) {
  const double spearman = spearman_return(answer, target);
  const auto n = static_cast<double>(answer.size());
  if (n < 2) return spearman;
  const double largest = n * (n * n - 1) / 3;
  return 1 - std::log1p((1 - spearman) * largest) / std::log1p(largest);
}

}  // namespace

double return_of(ReturnKind kind, const Ranking& answer, const Ranking& target) {
  switch (kind) {
    case ReturnKind::kInversions:
      return 1 - kemeny_distance(answer, target);
    case ReturnKind::kLogError:
      return log_error_return(answer, target);
    case ReturnKind::kSpearman:
      break;
  }
  return spearman_return(answer, target);
}

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

std::vector<double> scaled_by_deviation(std::vector<double> advantages,
                                        std::span<const double> returns) {
  const auto differences = group_advantages(returns);
  const double squares =
      std::inner_product(differences.begin(), differences.end(), differences.begin(), 0.0);
  const double deviation = std::sqrt(squares / static_cast<double>(returns.size()));
  // The differences of equal returns are rounding errors at most.
  const double factor = deviation > 1e-12 ? 1 / deviation : 0;
  for (double& advantage : advantages)
    advantage *= factor;
  return advantages;
}

std::vector<double> advantages_of(Advantage advantage, AdvantageScale scale,
                                  std::span<const double> returns, double reference_return) {
  std::vector<double> advantages(returns.begin(), returns.end());
  if (advantage == Advantage::kReference)
    advantages = reference_advantages(returns, reference_return);
  if (advantage == Advantage::kGroup) advantages = group_advantages(returns);
  if (scale == AdvantageScale::kNone) return advantages;
  return scaled_by_deviation(std::move(advantages), returns);
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
