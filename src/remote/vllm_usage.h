// What vLLM's answers say beside the rows.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "remote/protocol_json.h"

namespace rsd {

// Where the answer tells how many tokens the prompts had, these are they.
inline Result<void> check_prompt_tokens(const nlohmann::json& usage, std::size_t expected) {
  const auto* told = member(usage, "prompt_tokens");
  if (!told || told->is_null() || whole_number(told) == expected) return {};
  return bad_answer("is of a prompt of " + told->dump() + " tokens, not of " +
                    std::to_string(expected));
}

inline std::optional<std::size_t> vllm_cached_tokens(const nlohmann::json& answer) {
  const auto* usage = member(answer, "usage");
  const auto* details = usage ? member(*usage, "prompt_tokens_details") : nullptr;
  return details ? whole_number(member(*details, "cached_tokens")) : std::nullopt;
}

}  // namespace rsd
