// One decoding to learn from: its history and the target ranking.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/history.h"
#include "rsd/rank/ranking.h"
#include "rsd/trace/trace.h"

namespace rsd {

struct Episode {
  std::string id;         // the request's id
  std::string split_key;  // decides whether it is held out (hold_out.h)
  Ranking target;
  History history;  // at least one round, with all rows
};

// kInvalidInput: no rounds, or no target (a trace without one must end with all items known).
Result<Episode> episode_of(const Trace& trace);

// The pending items of `history`, numbered as in AgentInput, in the order of `target`, best first.
std::vector<std::size_t> open_order(const History& history, const Ranking& target);

}  // namespace rsd
