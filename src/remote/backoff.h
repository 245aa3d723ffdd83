// The wait before a question is asked again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>

#include "rsd/decode/position_scorer.h"

namespace rsd {

// `first`, twice that, … at most `longest`, each shortened at random by up to half, so that
// questions that failed together don't return together. Not thread-safe.
class Backoff {
 public:
  Backoff(Clock::duration first, Clock::duration longest, std::uint64_t seed)
      : first_(first), longest_(longest), random_(seed) {}

  // The wait before try number n_failed + 1; n_failed >= 1.
  Clock::duration delay(std::size_t n_failed) {
    Clock::duration whole = first_;
    for (std::size_t n = 1; n < n_failed && whole < longest_; ++n)
      whole *= 2;
    whole = std::min(whole, longest_);
    const double part = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
    return std::chrono::duration_cast<Clock::duration>(whole * part);
  }

 private:
  Clock::duration first_;
  Clock::duration longest_;
  std::mt19937_64 random_;
};

}  // namespace rsd
