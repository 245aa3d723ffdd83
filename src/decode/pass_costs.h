// Records the cost of a pass of the LLM in a CostModel.
#pragma once

#include <cstddef>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/decoding_run.h"

namespace rsd {

// Sums over the parts of a pass.
class PassCosts {
 public:
  // Adds the part that the run's next() returned.
  void add(const DecodingRun& run) {
    (run.encodes_prompt() ? n_prefilled_ : n_encoded_) += run.n_tokens();
    expected_ms_ += run.expected_ms();
  }

  // The pass took `ms`.
  void observe(CostModel& costs, double ms) const {
    const std::size_t n_tokens = n_prefilled_ + n_encoded_;
    if (n_tokens == 0) return;
    if (n_prefilled_ == 0) return costs.observe_encoding(n_encoded_, ms);
    // In a pass with prompts and proposals, the prompts take most of the time, so nothing is
    // learned about encodings.
    const double share = static_cast<double>(n_prefilled_) / static_cast<double>(n_tokens);
    costs.observe_prefill(n_prefilled_, ms * share);
  }
  // The pass was aborted after `ms`: its full cost is larger but unknown. Without the surcharge, an
  // estimate just below the true cost would have the same pass aborted again and again.
  void observe_given_up(CostModel& costs, double ms) const {
    constexpr double kAssumed = 1.25;
    if (kAssumed * ms > expected_ms_) return observe(costs, kAssumed * ms);
    costs.note_vain_try(n_prefilled_ > 0 ? CostModel::Kind::kPrefill : CostModel::Kind::kEncoding);
  }

 private:
  std::size_t n_prefilled_ = 0;
  std::size_t n_encoded_ = 0;
  double expected_ms_ = 0;
};

}  // namespace rsd
