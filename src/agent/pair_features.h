// What one round tells of two items side by side.
#pragma once

#include <vector>

#include "agent/replay_view.h"
#include "agent/round_view.h"

namespace rsd {

// How a round stands among the others.
struct RoundPlace {
  float rounds_ago = 0;  // over 4
  float share_open = 0;  // of all items, those that are not known
};

// Where the two are compared.
struct PairSources {
  const RoundView& round;
  const Margins& margins;                 // over rows that weigh alike
  const std::vector<float>& preferences;  // [n, n], as the heuristic `pairwise` has them
  const Replays& replays;
};

// [n, n, pair features]: of a (outer) against b, all within [-1, 1] or [0, 2].
// O(n^2 + m n log n) for m rows.
std::vector<float> pair_features(const PairSources& sources, const RoundPlace& place);

}  // namespace rsd
