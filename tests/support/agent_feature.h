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

// One value of how item `a` compares with item `b`.
inline float pair_feature(const AgentInput& input, std::size_t round, std::size_t a, std::size_t b,
                          std::string_view name) {
  const auto names = pair_feature_names();
  const auto at = std::ranges::find(names, name);
  RSD_CHECK(at != names.end(), "a pair feature of that name");
  const auto number = static_cast<std::size_t>(at - names.begin());
  const std::size_t n = input.n_items();
  return input.pairs.at(((round * n + a) * n + b) * names.size() + number);
}

}  // namespace rsd
