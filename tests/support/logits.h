// Short-hand for rows of logits in tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "rsd/decode/logits.h"

namespace rsd {

// At least one row, all of the same size.
inline LogitMatrix matrix(const std::vector<std::vector<float>>& rows) {
  LogitMatrix logits(rows.size(), rows.front().size());
  for (std::size_t j = 0; j < rows.size(); ++j)
    std::ranges::copy(rows[j], logits.row(j).begin());
  return logits;
}

}  // namespace rsd
