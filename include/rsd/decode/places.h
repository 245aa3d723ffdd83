// Places for the requests that are open in an LLM at a time.
#pragma once

#include <algorithm>
#include <cstddef>

#include "rsd/decode/llm_engine.h"

namespace rsd {

// Places for all requests, and further ones for short requests only, so that long requests, however
// many and however long, keep no short one out.
struct Places {
  std::size_t for_all = 1;
  std::size_t for_short = 0;

  constexpr std::size_t total() const noexcept { return for_all + for_short; }
  // True if there is a place for another request in addition to `n_open`, `n_short` of which are
  // short.
  constexpr bool has_one(std::size_t n_open, std::size_t n_short, Length length) const noexcept {
    if (length == Length::kShort) return n_open < total();
    return n_open - std::min(n_short, for_short) < for_all;
  }
};

}  // namespace rsd
