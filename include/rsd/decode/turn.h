// Whose turn it is in an LLM that many requests share.
//
// By levels, as operating systems schedule (multi-level feedback): a request's level is the LLM's
// time that it has had and that its next part takes, in steps that double. Lower levels go first,
// so that who has used much, or asks for much, waits for those who haven't and don't. Within a
// level who is due first goes first. Whoever has been passed over for kPatience gets one pass
// before all others, so that nobody waits for ever.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <compare>
#include <optional>

#include "rsd/decode/position_scorer.h"

namespace rsd {

// How long a request may be passed over by others that are more urgent.
inline constexpr std::chrono::seconds kPatience{5};

struct Timeliness {
  std::optional<Clock::time_point> deadline;
  std::optional<Clock::time_point> arrival;  // nullopt = when it is added
  // Of the list that it belongs to: the LLM's time that it has had before, and since when it waits;
  // nullopt = its arrival.
  double llm_ms = 0;
  std::optional<Clock::time_point> waits_since = std::nullopt;

  // When it is its turn; `now` stands for an arrival that is not told.
  Clock::time_point due(Clock::time_point now) const {
    const auto patience_ends = arrival.value_or(now) + kPatience;
    return deadline ? std::min(*deadline, patience_ends) : patience_ends;
  }
};

// 0 below a second of the LLM's time, 1 below two, 2 below four, …
inline int turn_level(double llm_ms) {
  constexpr double kFirstLevelMs = 1000;
  return llm_ms < kFirstLevelMs ? 0 : 1 + static_cast<int>(std::log2(llm_ms / kFirstLevelMs));
}

// The least goes first.
struct Turn {
  bool waits = true;  // false: it was passed over for kPatience
  int level = 0;
  Clock::time_point due;

  auto operator<=>(const Turn&) const = default;
};

}  // namespace rsd
