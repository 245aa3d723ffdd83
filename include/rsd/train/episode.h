// One decoding to learn from: what every round proposed and saw, and what would have been right.
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
  std::string id;         // the request's
  std::string split_key;  // what it is held out by (hold_out.h)
  Ranking target;
  std::vector<Round> rounds;  // at least one

  // What the agent would see after the first `n_rounds` of them. O(n_rounds K^2).
  History history_after(std::size_t n_rounds) const;
};

// kInvalidInput: no rounds, a proposal that does not keep the prefix known before it, a round
// that tells no new row, or no target (a trace that tells none must be of a
// decoding that knew all positions in the end).
Result<Episode> episode_of(const Trace& trace);

// The items of `history` that are not known, in AgentInput's numbering, best first by `target`.
std::vector<std::size_t> open_order(const History& history, const Ranking& target);

}  // namespace rsd
