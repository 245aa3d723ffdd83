// One value of what an agent sees, by the name of the feature.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "rsd/agent/agent_input.h"
#include "rsd/core/check.h"

namespace rsd {

inline float feature(const AgentInput& input, std::size_t round, std::size_t item,
                     std::string_view name) {
  const auto names = feature_names();
  const auto at = std::ranges::find(names, name);
  RSD_CHECK(at != names.end(), "a feature of that name");
  const auto number = static_cast<std::size_t>(at - names.begin());
  return input.features.at((round * input.n_items() + item) * names.size() + number);
}

}  // namespace rsd
