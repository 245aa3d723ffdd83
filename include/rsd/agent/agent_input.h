// What the agent sees of a decoding: numbers that don't depend on the number of items, on their
// order in the request, or on the LLM's identifiers.
//
// One token per (item that is not known yet, round). Its features pool the item's log-probabilities
// over the rows of that round, by where the rows stand relative to the first disagreement, so one
// network serves every K (arXiv 2505.20316, section 4.2, "listwise-aware relevance network").
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/decode/history.h"

namespace rsd {

// What of the history is looked at; the two flags are the paper's ablations.
struct InputOptions {
  std::size_t max_rounds = 6;  // the last ones; at least 1. `base` knows all of them
  // false: only the row of the last round's first disagreement, which is all that a left-to-right
  // verification keeps.
  bool listwise = true;
  // false: the last round only, in everything.
  bool round_history = true;

  bool operator==(const InputOptions&) const = default;
};

// Of each token, and of each two items in a round, in this order. A change of them is a new version
// of the agent's file.
std::span<const std::string_view> feature_names();
std::span<const std::string_view> pair_feature_names();

// R rounds, oldest first, and n items. Row-major.
struct AgentInput {
  std::vector<ItemId> items;    // [n] not known yet, ascending
  std::size_t n_rounds = 0;     // R >= 1
  std::vector<float> features;  // [R, n, feature_names().size()], about within [-4, 4]
  std::vector<float> pairs;     // [R, n, n, pair_feature_names().size()] of a against b, in [-2, 2]
  std::vector<float> base;      // [n] the order of a heuristic, mean 0 and variance 1

  std::size_t n_items() const noexcept { return items.size(); }
};

// `history` has at least one round and two items that are not known. `encodings_left` as in
// RankingPolicy::score. Pure. O(R K^2) with the pairs' memory, but for the replays and `blend`,
// which are O(R K^3).
AgentInput agent_input(const History& history, std::optional<std::size_t> encodings_left,
                       const InputOptions& options);

}  // namespace rsd
