// An LLM for tests that serves synthetic scorers.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "rsd/decode/position_scorer.h"
#include "support/synthetic_scorer.h"

namespace rsd {

inline Clock::duration duration_of(double ms) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(ms));
}

// Serves synthetic scorers one after the other and calls it a pass. Its time passes by what they
// claim to take.
class SyntheticLlm final : public BatchScorer {
 public:
  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override {
    auto& scorers = passes_.emplace_back();
    for (const PassPart& part : parts)
      scorers.push_back(part.scorer);
    auto results = encode_one_by_one(parts);
    if (!results) return results;
    double ms = 0;
    for (const PartResult& result : *results)
      ms += ms_of(result);
    now_ += duration_of(ms);
    if (!give_up_at || now_ < *give_up_at) return results;
    now_ = *give_up_at;
    return Error(ErrorCode::kDeadlineExceeded, "given up");
  }

  Clock::time_point now() const { return now_; }
  // Time spent outside of passes: in a policy, or on building a prompt.
  void pass(double ms) { now_ += duration_of(ms); }
  // The scorers of each pass.
  const std::vector<std::vector<PositionScorer*>>& passes() const { return passes_; }

 private:
  std::vector<std::vector<PositionScorer*>> passes_;
  Clock::time_point now_{};
};

}  // namespace rsd
