// Ranking policies that need no training: the baselines of the learned agent. Programs get them by
// name (ranking_policy.h).
//
// Notation: the last round proposed r and saw the rows Z; d is its first disagreement
// (Round::accepted). Row d was computed on exactly the known prefix, the rows after it on a prefix
// that is wrong somewhere, and yet they carry most of the LLM's information about the tail. If the
// last round verified only the first positions, the rows after them are those of earlier rounds.
#pragma once

#include <memory>

#include "rsd/decode/ranking_policy.h"

namespace rsd {

// Orders by row 0, which depends on the prompt only (the order that `std` returns and `sd` drafts).
std::shared_ptr<const RankingPolicy> first_row_policy();

// Orders by row d, the only row that a left-to-right verification keeps.
std::shared_ptr<const RankingPolicy> first_disagreement_policy();

// Places at each position the best item that is not placed yet: fixed-point iteration.
std::shared_ptr<const RankingPolicy> argmax_policy();

// Orders by the mean log-probability (normalised over all items) over the rows from d on.
std::shared_ptr<const RankingPolicy> mean_log_prob_policy();

// Orders by the sum of pairwise preferences (Borda's count): two items are compared by their logits
// in the rows from d on at which r had placed neither of them; later rows weigh more. O(K^2) for
// each round that holds the latest row of a position.
std::shared_ptr<const RankingPolicy> pairwise_policy();

// Orders by the sum of an item's positions under mean_log_prob, pairwise and argmax. On the
// measured requests (docs/measurements.md) it was the strongest of the policies that use only one
// row per position, which are the cheap ones. Costs as much as `pairwise`.
std::shared_ptr<const RankingPolicy> blend_policy();

// The order that `ar` would give on rows estimated from all the rows of the last rounds (replay.h):
// the strongest of all. O(K^3) for each round.
std::shared_ptr<const RankingPolicy> replay_policy();

}  // namespace rsd
