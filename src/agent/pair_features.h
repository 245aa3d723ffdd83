// Features of a pair of items in one round.
#pragma once

#include <vector>

#include "agent/replay_view.h"
#include "agent/round_view.h"

namespace rsd {

// A round's place among the others.
struct RoundPlace {
  float rounds_ago = 0;  // divided by 4
  float share_open = 0;  // pending share of all items
};

// The sources of the comparisons.
struct PairSources {
  const RoundView& round;
  const Margins& margins;                 // with equal weights for the rows
  const std::vector<float>& preferences;  // [n, n], those of the heuristic `pairwise`
  const Replays& replays;
};

// [n, n, pair features]: a (outer) compared with b, all within [-1, 1] or [0, 2]. O(n^2 + m n log
// n) for m rows.
std::vector<float> pair_features(const PairSources& sources, const RoundPlace& place);

}  // namespace rsd
