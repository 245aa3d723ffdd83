// Whether a replica that keeps failing should be asked.
#pragma once

#include <algorithm>
#include <cstddef>

#include "rsd/decode/position_scorer.h"

namespace rsd {

// Closed: questions go out. Open, after some failures in a row: none does, for a while. Then one
// may try: its success closes the circuit, its failure opens it for twice as long. Has no clock of
// its own. Not thread-safe.
class CircuitBreaker {
 public:
  struct Limits {
    std::size_t failures_to_open = 5;
    Clock::duration open_time{};
    Clock::duration max_open_time{};
  };

  explicit CircuitBreaker(const Limits& limits) : limits_(limits), open_time_(limits.open_time) {}

  bool allows(Clock::time_point now) const {
    return !is_open_ || (!is_trying_ && now >= open_until_);
  }
  // When it may allow a question; the past, where it does now. While one tries, its outcome
  // decides.
  Clock::time_point next_try() const { return is_open_ ? open_until_ : Clock::time_point::min(); }
  bool is_open() const { return is_open_; }

  // A question that was allowed goes out. True: it is the one that tries.
  bool note_start() {
    is_trying_ = is_open_;
    return is_trying_;
  }
  void note_success() {
    is_open_ = is_trying_ = false;
    n_failures_ = 0;
    open_time_ = limits_.open_time;
  }
  // `tried`: as note_start() said of the question. One that went out before the circuit opened and
  // fails behind that tells nothing new.
  void note_failure(Clock::time_point now, bool tried) {
    ++n_failures_;
    if (tried) open_time_ = std::min(2 * open_time_, limits_.max_open_time);
    if (tried || (!is_open_ && n_failures_ >= limits_.failures_to_open)) open(now);
  }
  // A question was given up: nothing is known of what would have become of it.
  void note_cancelled(bool tried) {
    if (tried) is_trying_ = false;
  }

 private:
  void open(Clock::time_point now) {
    is_open_ = true;
    is_trying_ = false;
    open_until_ = now + open_time_;
  }

  Limits limits_;
  Clock::duration open_time_;
  bool is_open_ = false;
  bool is_trying_ = false;
  std::size_t n_failures_ = 0;
  Clock::time_point open_until_;
};

}  // namespace rsd
