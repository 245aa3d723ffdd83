// Ranking policies that need no training: the baselines of the learned agent.
//
// Notation: the last round proposed r and saw the rows Z; d is its first disagreement
// (Round::accepted). Row d was computed on exactly the known prefix, the rows behind it on a prefix
// that is wrong somewhere, and yet they carry most of what the LLM has told about the tail. Where
// the last round verified the first positions only, the rows behind them are those of earlier
// rounds.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/ranking_policy.h"

namespace rsd {

// By the first row of all, the one that depends on the prompt only (what `std` returns and `sd`
// drafts).
std::shared_ptr<const RankingPolicy> first_row_policy();

// By row d: all that a left-to-right verification keeps.
std::shared_ptr<const RankingPolicy> first_disagreement_policy();

// Position by position the best item that is not placed yet: fixed-point iteration.
std::shared_ptr<const RankingPolicy> argmax_policy();

// By the mean log-probability, among all items, over the rows from d on.
std::shared_ptr<const RankingPolicy> mean_log_prob_policy();

// By pairwise preferences, added up (Borda's count): two items are compared by their logits in the
// rows from d on at which neither was used up by r, the later the weightier. O(K^2) for each round
// that has rows which no later one has.
std::shared_ptr<const RankingPolicy> pairwise_policy();

// By the sum of the positions that mean_log_prob, pairwise and argmax give an item: the strongest
// on the requests that we measured of those that look at no more than one row for each position
// (docs/measurements.md), and the strongest of those that are cheap: the cost of `pairwise`.
std::shared_ptr<const RankingPolicy> blend_policy();

// As `ar` would go on over rows that are estimated from all the rows of the last rounds (replay.h):
// the strongest of all. O(K^3) for each round.
std::shared_ptr<const RankingPolicy> replay_policy();

// The names that policy_by_name takes, in the order of their strength as far as it is known.
std::vector<std::string_view> policy_names();
// kInvalidArgument for a name that is not among policy_names().
Result<std::shared_ptr<const RankingPolicy>> policy_by_name(std::string_view name);

// The policy of `rsd` and `exact` where none is named.
inline constexpr std::string_view kDefaultPolicy = "replay";

}  // namespace rsd
