// The length of the common prefix of two rankings.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "rsd/core/index.h"

namespace rsd {

inline std::size_t common_prefix(std::span<const ItemId> a, std::span<const ItemId> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace rsd
