// Varies requests for training, so that the agent learns to depend on no order, no identifier and
// no list length.
#pragma once

#include <cstdint>

#include "rsd/rank/request.h"

namespace rsd {

inline constexpr std::size_t kLeastVariedItems = 5;

// The request with its candidates shuffled and, with probability 1/2, only a random subset of them,
// whose size is uniform from kLeastVariedItems on. Equal for equal (seed, id), on every machine.
Request varied(const Request& request, std::uint64_t seed);

}  // namespace rsd
