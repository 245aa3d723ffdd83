// Rows of logits in tests, and how much they differ.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "rsd/decode/logits.h"

namespace rsd {

using Rows = std::vector<std::vector<float>>;  // all of the same size

// At least one row.
inline LogitMatrix matrix(const Rows& rows) {
  LogitMatrix logits(rows.size(), rows.front().size());
  for (std::size_t j = 0; j < rows.size(); ++j)
    std::ranges::copy(rows[j], logits.row(j).begin());
  return logits;
}

// The largest difference between `rows` and the rows of `expected` from `first` on.
inline double difference(const LogitMatrix& rows, const Rows& expected, std::size_t first = 0) {
  double largest = 0;
  for (std::size_t j = 0; j < rows.n_rows(); ++j) {
    for (std::size_t i = 0; i < rows.n_items(); ++i) {
      const double gap =
          std::abs(static_cast<double>(rows.row(j)[i]) - expected.at(first + j).at(i));
      largest = std::isnan(gap) ? INFINITY : std::max(largest, gap);
    }
  }
  return largest;
}

inline double difference(const LogitMatrix& a, const LogitMatrix& b) {
  Rows expected;
  for (std::size_t j = 0; j < b.n_rows(); ++j)
    expected.emplace_back(b.row(j).begin(), b.row(j).end());
  return difference(a, expected);
}

// True if the rows depend on the items before them; a comparison of rows that don't proves nothing.
inline bool rows_vary(const Rows& rows) {
  double spread = 0;
  for (std::size_t j = 1; j < rows.size(); ++j)
    spread = std::max(spread, std::abs(static_cast<double>(rows[j][0]) - rows[0][0]));
  return spread > 1.0;
}

}  // namespace rsd
