#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "rsd/core/check.h"

namespace rsd {

double mean(const std::vector<double>& values) {
  RSD_CHECK(!values.empty(), "the mean of nothing");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double percentile(std::vector<double> values, double share) {
  RSD_CHECK(!values.empty() && share > 0 && share <= 1, "a percentile of nothing");
  // Rounding puts products such as 0.95 * 20 slightly above the exact integer.
  const double rank = std::ceil(share * static_cast<double>(values.size()) - 1e-9);
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::ranges::nth_element(values, nth);
  return *nth;
}

}  // namespace rsd
