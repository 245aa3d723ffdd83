// Which requests only validate.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "rsd/rank/split_key.h"

namespace rsd {

// Places in what was split, ascending.
struct HoldOut {
  std::vector<std::size_t> training;
  std::vector<std::size_t> held_out;
};

// An eighth of all keys, each by itself alone: the two stages of a training hold out the same
// requests, whatever files, limits, windows and seeds they are given, so what RPO validates on, the
// supervised initialisation has not seen either. Equal keys go together. Of few keys none, or all,
// may be held out.
HoldOut hold_out(std::span<const std::string> keys);

}  // namespace rsd
