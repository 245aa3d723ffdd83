#include "server/queue_turns.h"

#include <algorithm>

#include "rsd/core/duration.h"

namespace rsd::server {

void QueueTurns::learn(const CostModel& costs) {
  constexpr std::size_t kTokens = 256;
  if (const auto ms = costs.prefill_ms(kTokens)) ms_per_token_ = *ms / kTokens;
}

Clock::duration QueueTurns::expected(std::size_t n_tokens) const {
  constexpr double kMostMs = 3'600'000;
  return duration_of_ms(std::min(ms_per_token_ * static_cast<double>(n_tokens), kMostMs));
}

Clock::time_point QueueTurns::due(const std::string& key, const Timeliness& times,
                                  std::size_t expected_tokens, Clock::time_point now) {
  constexpr int kHandicap = 4;
  const auto work = expected(expected_tokens);
  Clock::duration wait{0};
  if (!key.empty()) {
    std::erase_if(finished_, [&](const auto& other) { return other.second <= now; });
    Clock::time_point& finished = finished_.emplace(key, now).first->second;
    wait = finished - now;
    finished += work;
  }
  return times.due(now) + wait + kHandicap * work;
}

}  // namespace rsd::server
