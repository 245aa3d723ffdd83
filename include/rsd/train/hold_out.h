// Chooses the requests that are held out for validation.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "rsd/rank/split_key.h"

namespace rsd {

// Indices into the keys that were split, ascending.
struct HoldOut {
  std::vector<std::size_t> training;
  std::vector<std::size_t> held_out;
};

// Holds out about an eighth of all keys. Each key is decided on its own, so the two stages of a
// training hold out the same requests, whatever their files, limits, windows and seeds, and the
// supervised initialisation has not seen what RPO validates on. Equal keys are on the same side.
// With few keys, none or all may be held out.
HoldOut hold_out(std::span<const std::string> keys);

}  // namespace rsd
