// Time for tests: it passes where somebody says so, in the LLM, in a policy or while a prompt is
// built.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rsd/core/duration.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/ranking_policy.h"
#include "support/synthetic_scorer.h"

namespace rsd {

class TestClock {
 public:
  Clock::time_point now() const { return now_; }
  void pass(double ms) { now_ += duration_of_ms(ms); }
  // False, and no later than `give_up_at`, where that comes first.
  bool pass(double ms, std::optional<Clock::time_point> give_up_at) {
    const auto end = now_ + duration_of_ms(ms);
    now_ = give_up_at ? std::min(end, std::max(now_, *give_up_at)) : end;
    return now_ == end;
  }

 private:
  Clock::time_point now_{};
};

// Another policy that takes its time, and writes down what it was asked.
class SlowPolicy final : public RankingPolicy {
 public:
  // Milliseconds of one call.
  using Cost = std::function<double(std::size_t n_items, std::size_t n_rounds)>;
  struct Call {
    std::size_t n_rounds = 0;
    std::optional<std::size_t> encodings_left;
    bool operator==(const Call&) const = default;
  };

  SlowPolicy(std::shared_ptr<const RankingPolicy> policy, std::function<void(double ms)> pass,
             Cost cost, std::string name = "slow")
      : policy_(std::move(policy)),
        pass_(std::move(pass)),
        cost_(std::move(cost)),
        name_(std::move(name)) {}

  std::string_view name() const noexcept override { return name_; }
  std::size_t rounds_read() const noexcept override { return policy_->rounds_read(); }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t> encodings_left) const override {
    calls_.push_back({history.rounds().size(), encodings_left});
    pass_(cost_(history.n_items(), history.rounds().size()));
    return policy_->score(history, encodings_left);
  }

  const std::vector<Call>& calls() const { return calls_; }

 private:
  std::shared_ptr<const RankingPolicy> policy_;
  std::function<void(double ms)> pass_;
  Cost cost_;
  std::string name_;
  mutable std::vector<Call> calls_;
};

// A synthetic scorer whose passes take the time that they claim.
class ClockedScorer : public SyntheticScorer {
 public:
  ClockedScorer(TestClock& clock, SyntheticOptions options)
      : SyntheticScorer(std::move(options)), clock_(clock) {}

  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override {
    auto done = *SyntheticScorer::prefill(give_up_at);
    if (!clock_.pass(prefilled_ ? 0 : done.ms, give_up_at)) return gave_up();
    prefilled_ = true;
    return done;
  }
  Result<Encoding> encode(const EncodingQuery& query) override {
    auto done = SyntheticScorer::encode(query);
    if (done && !clock_.pass(done->ms, query.give_up_at)) return gave_up();
    return done;
  }

 private:
  static Error gave_up() { return {ErrorCode::kDeadlineExceeded, "given up"}; }

  TestClock& clock_;
  bool prefilled_ = false;
};

}  // namespace rsd
