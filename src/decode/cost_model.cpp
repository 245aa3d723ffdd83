#include "rsd/decode/cost_model.h"

#include <algorithm>

namespace rsd {
namespace {

constexpr double kDecay = 0.95;  // a half-life of 14 observations
constexpr double kDoubt = 0.9;
constexpr double kTellingVariance = 0.25;

}  // namespace

void CostModel::Line::observe(double n_tokens, double cost) {
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

void CostModel::Line::doubt() {
  ms *= kDoubt;
  n_ms *= kDoubt;
  if (slope) *slope *= kDoubt;
}

// Of the sizes.
double CostModel::Line::variance() const {
  const double mean_n = n / weight;
  return nn / weight - mean_n * mean_n;
}

double CostModel::Line::at(double n_tokens) const {
  const double mean_n = n / weight;
  const double mean_ms = ms / weight;
  if (slope) return std::max(0.0, mean_ms + *slope * (n_tokens - mean_n));
  // Observations of one size only tell no slope. Where nothing is typical: proportional above it
  // and the same below, which errs towards finishing early.
  if (typical_base == 0) return mean_ms * std::max(1.0, n_tokens / mean_n);
  return mean_ms * (typical_base + n_tokens) / (typical_base + mean_n);
}

void CostModel::observe_prefill(std::size_t n_tokens, double ms) {
  prefill_.observe(static_cast<double>(n_tokens), ms);
}

void CostModel::observe_encoding(std::size_t n_tokens, double ms) {
  (n_tokens == 1 ? single_ : encoding_).observe(static_cast<double>(n_tokens), ms);
}

void CostModel::doubt_prefill() {
  prefill_.doubt();
}
void CostModel::doubt_encoding() {
  encoding_.doubt();
  single_.doubt();
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
