#include "rsd/train/hold_out.h"

#include <cstdint>
#include <limits>

#include "rsd/rank/presentation.h"

namespace rsd {
namespace {

// A hash that is the same on every machine.
std::uint64_t draw(std::string_view text) {
  return request_generator(/*seed=*/0, text)();
}

}  // namespace

HoldOut hold_out(std::span<const std::string> keys) {
  constexpr std::uint64_t kEighth = std::numeric_limits<std::uint64_t>::max() / 8;
  HoldOut split;
  for (std::size_t i = 0; i < keys.size(); ++i)
    (draw(keys[i]) <= kEighth ? split.held_out : split.training).push_back(i);
  return split;
}

}  // namespace rsd
