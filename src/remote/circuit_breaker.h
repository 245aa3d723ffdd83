// Stops questions to a replica that keeps failing.
#pragma once

#include <algorithm>
#include <cstddef>

#include "rsd/decode/position_scorer.h"

namespace rsd {

// Closed: questions are allowed. Open, after some failures in a row or one that is enough by
// itself: none is allowed for a while. Then the replica is checked without a question, and if it
// answers, one question may try it; its success closes the circuit. If either fails, the circuit
// opens for twice as long. Takes the time as an argument, so tests need no clock. Not thread-safe.
class CircuitBreaker {
 public:
  struct Limits {
    std::size_t failures_to_open = 5;
    Clock::duration open_time{};
    Clock::duration max_open_time{};
  };

  explicit CircuitBreaker(const Limits& limits) : limits_(limits), open_time_(limits.open_time) {}

  bool allows() const { return state_ == State::kClosed || state_ == State::kReady; }
  bool is_open() const { return state_ != State::kClosed; }
  bool wants_check(Clock::time_point now) const {
    return state_ == State::kOpen && now >= open_until_;
  }
  // True while a check or a question that decides is in progress.
  bool is_on_trial() const { return state_ == State::kChecking || state_ == State::kTrying; }
  // The time of the next check; in the past if none is pending.
  Clock::time_point next_check() const {
    return state_ == State::kOpen ? open_until_ : Clock::time_point::min();
  }

  void note_check_start() { state_ = State::kChecking; }
  void note_check(Clock::time_point now, bool is_there) {
    if (state_ != State::kChecking) return;  // an older question has decided meanwhile
    if (is_there) {
      state_ = State::kReady;
    } else {
      open_for_longer(now);
    }
  }

  // An allowed question is sent. Returns true if it is the one that tries the replica.
  bool note_start() {
    const bool tries = state_ == State::kReady;
    if (tries) state_ = State::kTrying;
    return tries;
  }
  void note_success() {
    state_ = State::kClosed;
    n_failures_ = 0;
    open_time_ = limits_.open_time;
  }
  // `tried` is what note_start() returned for the question. The failure of a question that was sent
  // before the circuit opened does not extend the pause.
  void note_failure(Clock::time_point now, bool tried) {
    if (tried || ++n_failures_ >= limits_.failures_to_open) trip(now, tried);
  }
  // The same for a failure that is enough by itself.
  void trip(Clock::time_point now, bool tried) {
    if (tried) return open_for_longer(now);
    if (state_ == State::kClosed) open(now);
  }
  // A question was cancelled, so its outcome is unknown.
  void note_cancelled(bool tried) {
    if (tried) state_ = State::kReady;
  }

 private:
  enum class State { kClosed, kOpen, kChecking, kReady, kTrying };

  void open(Clock::time_point now) {
    state_ = State::kOpen;
    open_until_ = now + open_time_;
  }
  void open_for_longer(Clock::time_point now) {
    open_time_ = std::min(2 * open_time_, limits_.max_open_time);
    open(now);
  }

  Limits limits_;
  Clock::duration open_time_;
  State state_ = State::kClosed;
  std::size_t n_failures_ = 0;
  Clock::time_point open_until_;
};

}  // namespace rsd
