// Means and percentiles of a sample.
#pragma once

#include <vector>

namespace rsd {

// Both throw LogicError for an empty sample.
double mean(const std::vector<double>& values);
// The percentile by nearest rank: the ceil(share * n)-th smallest value. `share` is in (0, 1].
double percentile(std::vector<double> values, double share);

}  // namespace rsd
