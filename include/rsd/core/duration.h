// From numbers of milliseconds to what a clock counts in.
#pragma once

#include <chrono>
#include <cmath>

namespace rsd {

// Saturates: what is longer than a hundred years is a hundred years, which can be added to any time
// of a clock, what is negative as much into the past, and what is no number is nothing.
inline std::chrono::nanoseconds duration_of_ms(double ms) {
  constexpr double kLongestMs = 100 * 365.25 * 24 * 3600 * 1000;
  if (std::isnan(ms)) return std::chrono::nanoseconds(0);
  const double within = ms > kLongestMs ? kLongestMs : ms < -kLongestMs ? -kLongestMs : ms;
  return std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(within * 1e6));
}

}  // namespace rsd
