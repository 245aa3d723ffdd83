// Checks the usage figures of vLLM's answers.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "remote/protocol_json.h"

namespace rsd {

// If the answer reports the number of prompt tokens, it must equal `expected`.
inline Result<void> check_prompt_tokens(std::optional<JsonValue> usage, std::size_t expected) {
  const auto reported = member(usage, "prompt_tokens");
  if (!reported || reported->is_null() || whole_number(reported) == expected) return {};
  return bad_answer("is of a prompt of " + simdjson::minify(*reported) + " tokens, not of " +
                    std::to_string(expected));
}

inline std::optional<std::size_t> vllm_cached_tokens(JsonValue answer) {
  const auto details = member(member(answer, "usage"), "prompt_tokens_details");
  return whole_number(member(details, "cached_tokens"));
}

}  // namespace rsd
