// Places for requests that are open in an LLM at a time.
#pragma once

#include <algorithm>
#include <cstddef>

#include "rsd/prompt/prompt_builder.h"

namespace rsd {

enum class Length { kLong, kShort };

// What counts as short: a request of so many tokens, its prompt and all that is encoded after it.
inline constexpr std::size_t kShortRequest = 512;

constexpr Length length_of(std::size_t n_tokens) noexcept {
  return n_tokens <= kShortRequest ? Length::kShort : Length::kLong;
}
inline Length length_of(const Prompt& prompt) noexcept {
  return length_of(prompt.tokens.size() + prompt.identifiers.size());
}

// Places for all, and beside them some that only short requests may take, so that long ones,
// however many and however long, keep no short one out.
struct Places {
  std::size_t for_all = 1;
  std::size_t for_short = 0;

  constexpr std::size_t total() const noexcept { return for_all + for_short; }
  // Is there one for another request beside `n_open`, `n_short` of which are short?
  constexpr bool has_one(std::size_t n_open, std::size_t n_short, Length length) const noexcept {
    if (length == Length::kShort) return n_open < total();
    return n_open - std::min(n_short, for_short) < for_all;
  }
};

// Enough for short requests to come in while others of their kind are under way.
inline constexpr std::size_t kReservedPlaces = 2;

}  // namespace rsd
