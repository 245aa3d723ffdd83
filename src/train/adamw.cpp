#include "rsd/train/adamw.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "rsd/core/check.h"

namespace rsd {

bool fits(std::span<const float> weights, std::size_t n_weights) {
  return weights.size() == n_weights &&
         std::ranges::all_of(weights, [](float value) { return std::isfinite(value); });
}

bool fits(const AdamWState& state, std::size_t n_weights) {
  if (state.first.empty() && state.second.empty()) return true;
  return fits(state.first, n_weights) && fits(state.second, n_weights);
}

void adamw_step(std::span<float> weights, std::span<const float> gradient,
                const AdamWOptions& options, AdamWState& state) {
  RSD_CHECK(weights.size() == gradient.size(), "a gradient of other weights");
  if (state.first.empty()) {
    state.first.assign(weights.size(), 0.0F);
    state.second.assign(weights.size(), 0.0F);
  }
  RSD_CHECK(state.first.size() == weights.size() && state.second.size() == weights.size(),
            "a state of other weights");
  ++state.steps;
  const auto steps = static_cast<double>(state.steps);
  const double correction1 = 1 - std::pow(options.beta1, steps);
  const double correction2 = 1 - std::pow(options.beta2, steps);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double g = gradient[i];
    const double first = options.beta1 * state.first[i] + (1 - options.beta1) * g;
    const double second = options.beta2 * state.second[i] + (1 - options.beta2) * g * g;
    state.first[i] = static_cast<float>(first);
    state.second[i] = static_cast<float>(second);
    const double step = (first / correction1) / (std::sqrt(second / correction2) + options.epsilon);
    weights[i] -=
        static_cast<float>(options.learning_rate * (step + options.weight_decay * weights[i]));
  }
}

double clip_norm(std::span<float> gradient, double limit) {
  double sum = 0;
  for (const float g : gradient)
    sum += static_cast<double>(g) * g;
  const double norm = std::sqrt(sum);
  if (norm > limit) {
    for (float& g : gradient)
      g = static_cast<float>(g * (limit / norm));
  }
  return norm;
}

double scheduled_rate(double peak, std::size_t step, std::size_t warm_up, std::size_t total) {
  constexpr double kEnd = 0.1;
  const auto at = static_cast<double>(step);
  const double rise = warm_up > 0 ? std::min(1.0, (at + 1) / static_cast<double>(warm_up)) : 1.0;
  const double done = std::min(1.0, at / static_cast<double>(std::max<std::size_t>(total, 1)));
  return peak * rise * (kEnd + (1 - kEnd) * (1 + std::cos(std::numbers::pi * done)) / 2);
}

}  // namespace rsd
