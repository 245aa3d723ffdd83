// Parses JSON and CBOR from foreign sources, within limits. All of rsd's readers use these
// functions.
//
// Values nest at most kMaxJsonDepth levels, since visiting, copying and printing values recurses.
// An escaped half of a surrogate pair without its other half is read as U+FFFD: texts that
// JavaScript has cut end in one, and none of them may cost its whole list.
//
// Parsing takes time linear in the size of any input, and no exception of the library leaves these
// functions.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

// The most levels of arrays and objects: more than real data have, and small enough for a thread's
// stack.
inline constexpr std::size_t kMaxJsonDepth = 512;

struct JsonRules {
  enum class RepeatedKeys { kLastCounts, kRefused };
  // Treatment of NaN, Infinity and -Infinity, which are not valid JSON but written by Python and R.
  enum class NotNumbers { kRefused, kNull };

  std::string_view subject = "the text";  // in errors: "broken JSON at byte 3 of the text: …"
  std::size_t max_depth = kMaxJsonDepth;
  RepeatedKeys repeated_keys = RepeatedKeys::kLastCounts;
  NotNumbers not_numbers = NotNumbers::kRefused;
};

// Parses one value, with optional white space around it. kInvalidInput names the fault and its
// place: invalid UTF-8, broken JSON, a number beyond the range of double, too deep nesting, or a
// repeated key.
Result<nlohmann::json> read_json(std::string_view text, const JsonRules& rules = {});

// Parses one value of RFC 8949 in the form that nlohmann-json writes: strings, arrays and maps of
// definite length, and no tags. kInvalidInput for anything else.
Result<nlohmann::json> read_cbor(std::string_view bytes);

}  // namespace rsd
