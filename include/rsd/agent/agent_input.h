// The agent's input: features of a decoding that don't depend on the number of items, on their
// order in the request, or on the LLM's identifiers.
//
// One token per pair of a pending item and a round. Its features pool the item's log-probabilities
// over the rows of that round, by their position relative to the first disagreement, so that one
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

// The part of the history that the agent sees; the two flags are the paper's ablations.
struct InputOptions {
  std::size_t max_rounds = 6;  // the number of last rounds; at least 1. `base` uses all rounds
  // false: only the row of the last round's first disagreement, the one that a left-to-right
  // verification keeps.
  bool listwise = true;
  // false: only the last round, `base` included.
  bool round_history = true;

  bool operator==(const InputOptions&) const = default;
};

// The names of the features of a token, and of a pair of items in a round, in their order. Changing
// them requires a new version of the agent's file.
std::span<const std::string_view> feature_names();
std::span<const std::string_view> pair_feature_names();

// Input with R rounds, oldest first, and n items. Row-major.
struct AgentInput {
  std::vector<ItemId> items;    // [n] the pending items, ascending
  std::size_t n_rounds = 0;     // R >= 1
  std::vector<float> features;  // [R, n, feature_names().size()], about within [-4, 4]
  std::vector<float> pairs;     // [R, n, n, pair_feature_names().size()] a compared with b, in [-2,
                                // 2]
  std::vector<float> base;      // [n] a heuristic's scores, standardised to mean 0 and variance 1

  std::size_t n_items() const noexcept { return items.size(); }
};

// `history` has at least one round and two pending items. For `encodings_left` see
// RankingPolicy::score. Pure. O(R K^2) time and memory, except for the replays and `blend`, which
// take O(R K^3) time.
AgentInput agent_input(const History& history, std::optional<std::size_t> encodings_left,
                       const InputOptions& options);

}  // namespace rsd
