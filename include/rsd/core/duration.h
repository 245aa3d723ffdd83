// Converts milliseconds to the nanoseconds that clocks count in.
#pragma once

#include <chrono>
#include <cmath>

namespace rsd {

// Saturates at plus or minus a hundred years, which can be added to any time point without
// overflow. NaN becomes 0.
inline std::chrono::nanoseconds duration_of_ms(double ms) {
  constexpr double kLongestMs = 100 * 365.25 * 24 * 3600 * 1000;
  if (std::isnan(ms)) return std::chrono::nanoseconds(0);
  const double within = ms > kLongestMs ? kLongestMs : ms < -kLongestMs ? -kLongestMs : ms;
  return std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(within * 1e6));
}

}  // namespace rsd
