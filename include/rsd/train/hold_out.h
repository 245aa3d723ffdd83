// Which requests only validate.
#pragma once

#include <cstddef>
#include <vector>

namespace rsd {

struct HoldOut {
  std::vector<std::size_t> order;  // a permutation of 0..n-1: those that are held out come last
  std::size_t n_held_out = 0;
};

// A tenth of n requests, at least 8 and at most 32 of them but never more than a third, spread
// evenly, so that each of several files that stand one behind the other has its share.
HoldOut hold_out(std::size_t n);

}  // namespace rsd
