#include "rsd/train/hold_out.h"

#include <algorithm>

namespace rsd {

HoldOut hold_out(std::size_t n) {
  constexpr std::size_t kLeast = 8;
  constexpr std::size_t kMost = 32;
  HoldOut split{.order = {}, .n_held_out = std::min(std::clamp(n / 10, kLeast, kMost), n / 3)};
  split.order.reserve(n);
  std::vector<std::size_t> held_out;
  held_out.reserve(split.n_held_out);
  for (std::size_t i = 0; i < n; ++i) {
    // The k-th of them is the last one of the k-th of n_held_out equal parts.
    const bool held = (i + 1) * split.n_held_out / n > i * split.n_held_out / n;
    (held ? held_out : split.order).push_back(i);
  }
  split.order.insert(split.order.end(), held_out.begin(), held_out.end());
  return split;
}

}  // namespace rsd
