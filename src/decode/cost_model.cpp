#include "rsd/decode/cost_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rsd {
namespace {

constexpr double kDecay = 0.95;  // a half-life of 14 observations
constexpr double kDoubt = 0.9;
constexpr double kPolicyDoubt = 0.999;
constexpr double kTellingVariance = 0.25;

// Exponents by which a policy's time is expected to grow with items and rounds beyond the observed
// sizes. They are the upper bounds of policies.h; smaller lists shrink the estimate less.
constexpr double kGrowthByItems = 3;
constexpr double kShrinkageByItems = 2;
constexpr double kGrowthByRounds = 1;
// The weight of an observation falls by 2^-kNearness per octave of distance.
constexpr double kNearness = 8;

int octave(std::size_t n) {
  return static_cast<int>(std::lround(std::log2(static_cast<double>(n))));
}

double grown(double log_ratio_of_items, double log_ratio_of_rounds) {
  const double by_items = log_ratio_of_items > 0 ? kGrowthByItems : kShrinkageByItems;
  return std::exp(by_items * log_ratio_of_items + kGrowthByRounds * log_ratio_of_rounds);
}

}  // namespace

// A cost below the estimate confirms the doubts about it (doubt()), so the line is scaled down.
void CostModel::Line::observe(double n_tokens, double cost, double trust) {
  if (trust < 1 && weight > 0 && cost < at(n_tokens)) scale(std::max(trust, cost / at(n_tokens)));
  for (double* sum : {&weight, &n, &nn, &ms, &n_ms})
    *sum *= kDecay;
  weight += 1;
  n += n_tokens;
  nn += n_tokens * n_tokens;
  ms += cost;
  n_ms += n_tokens * cost;
  if (variance() >= kTellingVariance)
    slope = std::max(0.0, (n_ms - n * ms / weight) / (weight * variance()));
}

void CostModel::Line::scale(double factor) {
  ms *= factor;
  n_ms *= factor;
  if (slope) *slope *= factor;
}

// The variance of the observed sizes.
double CostModel::Line::variance() const {
  const double mean_n = n / weight;
  return nn / weight - mean_n * mean_n;
}

double CostModel::Line::at(double n_tokens) const {
  const double mean_n = n / weight;
  const double mean_ms = ms / weight;
  if (slope) return std::max(0.0, mean_ms + *slope * (n_tokens - mean_n));
  // Observations of one size determine no slope. Without a typical base, costs are taken as
  // proportional above that size and constant below, which errs towards finishing early.
  if (typical_base == 0) return mean_ms * std::max(1.0, n_tokens / mean_n);
  return mean_ms * (typical_base + n_tokens) / (typical_base + mean_n);
}

double CostModel::take_trust(CostModel::Kind kind) {
  return std::exchange(trust_of(kind), 1.0);
}

void CostModel::observe_prefill(std::size_t n_tokens, double ms) {
  prefill_.observe(static_cast<double>(n_tokens), ms, take_trust(CostModel::Kind::kPrefill));
}

void CostModel::observe_encoding(std::size_t n_tokens, double ms) {
  (n_tokens == 1 ? single_ : encoding_)
      .observe(static_cast<double>(n_tokens), ms, take_trust(CostModel::Kind::kEncoding));
}

void CostModel::observe_policy(std::string_view policy, std::size_t n_items, std::size_t n_rounds,
                               double ms) {
  auto found = policies_.find(policy);
  if (found == policies_.end()) found = policies_.emplace(policy, PolicyTable()).first;
  const double trust = take_trust(CostModel::Kind::kPolicy);
  const double expected = policy_ms(policy, n_items, n_rounds).value_or(ms);
  if (trust < 1 && ms < expected) {
    for (auto& [size, calls] : found->second)
      calls.ms *= std::max(trust, ms / expected);
  }
  PolicyCalls& calls = found->second[{octave(n_items), octave(n_rounds)}];
  calls.weight = kDecay * calls.weight + 1;
  const auto take = [&](double& mean, double value) { mean += (value - mean) / calls.weight; };
  take(calls.log_items, std::log(static_cast<double>(n_items)));
  take(calls.log_rounds, std::log(static_cast<double>(n_rounds)));
  take(calls.ms, ms);
}

void CostModel::doubt(CostModel::Kind kind) {
  trust_of(kind) *= kind == CostModel::Kind::kPolicy ? kPolicyDoubt : kDoubt;
}

// The weighted mean of the extrapolations from all observed calls; similar calls weigh most.
std::optional<double> CostModel::policy_ms(std::string_view policy, std::size_t n_items,
                                           std::size_t n_rounds) const {
  const auto found = policies_.find(policy);
  if (found == policies_.end() || found->second.empty()) return std::nullopt;
  const double log_items = std::log(static_cast<double>(n_items));
  const double log_rounds = std::log(static_cast<double>(n_rounds));
  double sum = 0;
  double weights = 0;
  for (const auto& [size, calls] : found->second) {
    const double by_items = log_items - calls.log_items;
    const double by_rounds = log_rounds - calls.log_rounds;
    const double weight = std::exp2(-kNearness * (std::abs(by_items) + std::abs(by_rounds)));
    sum += weight * calls.ms * grown(by_items, by_rounds);
    weights += weight;
  }
  return sum / weights;
}

std::optional<double> CostModel::prefill_ms(std::size_t n_tokens) const {
  if (prefill_.weight == 0) return std::nullopt;
  if (n_tokens == 0) return 0;
  return prefill_.at(static_cast<double>(n_tokens));
}

std::optional<double> CostModel::encoding_ms(std::size_t n_tokens) const {
  const bool has_single = single_.weight > 0;
  if (!has_single && encoding_.weight == 0) return std::nullopt;
  if (n_tokens == 0) return 0;
  const bool by_single = has_single && (n_tokens == 1 || encoding_.weight == 0);
  return (by_single ? single_ : encoding_).at(static_cast<double>(n_tokens));
}

}  // namespace rsd
