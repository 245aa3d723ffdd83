// Which requests only validate.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace rsd {

// Places in what was split, ascending.
struct HoldOut {
  std::vector<std::size_t> training;
  std::vector<std::size_t> held_out;
};

// An eighth of the requests, by their ids alone: the two stages of a training hold out the same
// ones, whatever files, limits and seeds they are given, so what RPO validates on, the supervised
// initialisation has not seen either. What stands in front of an id's first slash, the name of its
// file, doesn't count. Equal ids go together. Of two ids or more at least one is
// held out and one is not; a single one is trained on.
HoldOut hold_out(std::span<const std::string> ids);

}  // namespace rsd
