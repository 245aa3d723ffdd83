// What a pass of the LLM tells a CostModel.
#pragma once

#include <cstddef>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/request_run.h"

namespace rsd {

// The parts of a pass, added up before it is made.
class PassCosts {
 public:
  // The part that the run's next() named.
  void add(const RequestRun& run) {
    (run.encodes_prompt() ? n_prefilled_ : n_encoded_) += run.n_tokens();
    expected_ms_ += run.expected_ms();
  }

  // It was made in that time.
  void observe(CostModel& costs, double ms) const {
    const std::size_t n_tokens = n_prefilled_ + n_encoded_;
    if (n_tokens == 0) return;
    if (n_prefilled_ == 0) return costs.observe_encoding(n_encoded_, ms);
    // Of a pass with both the prompts are the greater part by far, and it tells little of the rest.
    const double share = static_cast<double>(n_prefilled_) / static_cast<double>(n_tokens);
    costs.observe_prefill(n_prefilled_, ms * share);
  }
  // It was given up after that time: it would have cost more, nobody knows how much. Without the
  // addition an estimate just below the truth would have the same pass given up for ever.
  void observe_given_up(CostModel& costs, double ms) const {
    constexpr double kAssumed = 1.25;
    if (kAssumed * ms > expected_ms_) return observe(costs, kAssumed * ms);
    costs.note_vain_try(n_prefilled_ > 0 ? CostKind::kPrefill : CostKind::kEncoding);
  }

 private:
  std::size_t n_prefilled_ = 0;
  std::size_t n_encoded_ = 0;
  double expected_ms_ = 0;
};

}  // namespace rsd
