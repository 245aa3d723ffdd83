// The order in which requests get the passes of an LLM that they share.
//
// It is multi-level feedback scheduling, as in operating systems. A request's level is the LLM time
// that it has used, plus the time that the rest of its prompt is expected to take, in steps that
// double. Lower levels go first, so that a request that has used much, or needs much, waits for
// those that have not. Within a level the request that is due first goes first. A request that has
// been passed over for kPatience goes before all others once, so that none waits for ever.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <compare>
#include <optional>

#include "rsd/decode/position_scorer.h"

namespace rsd {

// The time for which a request may be passed over.
inline constexpr std::chrono::seconds kPatience{5};

struct Timeliness {
  std::optional<Clock::time_point> deadline;
  std::optional<Clock::time_point> arrival;  // nullopt = when it is added
  // The LLM time that earlier windows of its list have used.
  double llm_ms = 0;
  // The time of its list's last pass; nullopt = its arrival.
  std::optional<Clock::time_point> waits_since = std::nullopt;

  // The time when it is due: its deadline, or kPatience after its arrival if that is earlier. `now`
  // stands for a missing arrival.
  Clock::time_point due(Clock::time_point now) const {
    const auto patience_ends = arrival.value_or(now) + kPatience;
    return deadline ? std::min(*deadline, patience_ends) : patience_ends;
  }
};

// 0 below one second of LLM time, 1 below two, 2 below four, …
inline int turn_level(double llm_ms) {
  constexpr double kFirstLevelMs = 1000;
  return llm_ms < kFirstLevelMs ? 0 : 1 + static_cast<int>(std::log2(llm_ms / kFirstLevelMs));
}

// The smallest turn goes first.
struct Turn {
  bool waits = true;  // false if it has been passed over for kPatience
  int level = 0;
  Clock::time_point due;

  auto operator<=>(const Turn&) const = default;
};

}  // namespace rsd
