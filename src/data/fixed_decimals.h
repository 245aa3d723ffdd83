// Formats numbers with a fixed count of decimals, independent of the locale.
#pragma once

#include <array>
#include <charconv>
#include <string>

namespace rsd {

inline std::string fixed_decimals(double value, int decimals) {
  std::array<char, 512> buffer;  // the largest double has 309 digits before the point
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::fixed, decimals);
  return {buffer.data(), end.ptr};
}

}  // namespace rsd
