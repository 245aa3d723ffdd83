// JSON and CBOR as others wrote it, read within limits: the one way in for every reader of rsd.
//
// Values nest at most kMaxJsonDepth levels, since whoever visits, copies or prints one recurses.
// Reading takes time in proportion to the input, whatever is in it, and no exception of the library
// leaves these functions.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

// Levels of arrays and objects: more than data have, a small part of what a thread's stack holds.
inline constexpr std::size_t kMaxJsonDepth = 512;

struct JsonRules {
  enum class RepeatedKeys { kLastCounts, kRefused };
  // NaN, Infinity and -Infinity, which are no JSON, and which Python and R write all the same.
  enum class NotNumbers { kRefused, kNull };

  std::string_view subject = "the text";  // in errors: "broken JSON at byte 3 of the text: …"
  std::size_t max_depth = kMaxJsonDepth;
  RepeatedKeys repeated_keys = RepeatedKeys::kLastCounts;
  NotNumbers not_numbers = NotNumbers::kRefused;
};

// One value, with white space around it. kInvalidInput tells what is wrong, and where: invalid
// UTF-8, broken JSON, a number that no double holds, nesting, a key that is repeated.
Result<nlohmann::json> read_json(std::string_view text, const JsonRules& rules = {});

// One value of RFC 8949 as nlohmann-json writes it: strings, arrays and maps tell their length, and
// there are no tags. kInvalidInput for all else.
Result<nlohmann::json> read_cbor(std::string_view bytes);

}  // namespace rsd
