// A table of an enumeration's names.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "rsd/core/result.h"

namespace rsd {

template <class Enum, std::size_t N>
struct NameTable {
  std::array<std::pair<Enum, std::string_view>, N> entries;

  constexpr std::string_view name_of(Enum value) const noexcept {
    for (const auto& [candidate, name] : entries) {
      if (candidate == value) return name;
    }
    return "unknown";
  }

  // kInvalidArgument: `<what> "<name>" is unknown; it must be one of …`.
  Result<Enum> parse(std::string_view what, std::string_view name) const {
    std::string known;
    for (const auto& [value, candidate] : entries) {
      if (candidate == name) return value;
      known += (known.empty() ? "" : ", ") + std::string(candidate);
    }
    return Error(ErrorCode::kInvalidArgument, std::string(what) + " \"" + std::string(name) +
                                                  "\" is unknown; it must be one of " + known);
  }
};

}  // namespace rsd
