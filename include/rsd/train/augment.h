// Requests as an agent should meet them in training: so that it depends on no order, no identifier
// and no length of list.
#pragma once

#include <cstdint>

#include "rsd/rank/request.h"

namespace rsd {

inline constexpr std::size_t kLeastVariedItems = 5;

// The request with its candidates in another order, and in every second one only some of them: from
// kLeastVariedItems on, all numbers alike. Equal for equal (seed, id), on every machine.
Request varied(const Request& request, std::uint64_t seed);

}  // namespace rsd
