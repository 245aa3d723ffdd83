#include "rsd/train/hold_out.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "rsd/rank/presentation.h"

namespace rsd {
namespace {

std::string_view without_file(std::string_view id) {
  const std::size_t slash = id.find('/');
  return slash == std::string_view::npos ? id : id.substr(slash + 1);
}

}  // namespace

HoldOut hold_out(std::span<const std::string> ids) {
  HoldOut split;
  if (ids.empty()) return split;
  std::vector<std::uint64_t> draws;
  draws.reserve(ids.size());
  for (const std::string& id : ids)
    draws.push_back(request_generator(/*seed=*/0, without_file(id))());
  constexpr std::uint64_t kEighth = std::numeric_limits<std::uint64_t>::max() / 8;
  const auto [least, most] = std::ranges::minmax(draws);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool held = draws[i] != most && (draws[i] <= kEighth || draws[i] == least);
    (held ? split.held_out : split.training).push_back(i);
  }
  return split;
}

}  // namespace rsd
