// One decoding to learn from: its rounds and the target ranking.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/trace.h"
#include "rsd/decode/history.h"
#include "rsd/rank/ranking.h"

namespace rsd {

struct Episode {
  std::string id;         // the request's id
  std::string split_key;  // decides whether it is held out (hold_out.h)
  Ranking target;
  std::vector<Round> rounds;  // at least one

  // The history after the first `n_rounds` rounds. O(n_rounds K^2).
  History history_after(std::size_t n_rounds) const;
};

// kInvalidInput: no rounds, a proposal that does not keep the known prefix, a round without a new
// row, or no target (a trace without one must end with all positions known).
Result<Episode> episode_of(const Trace& trace);

// The pending items of `history`, numbered as in AgentInput, in the order of `target`, best first.
std::vector<std::size_t> open_order(const History& history, const Ranking& target);

}  // namespace rsd
