// What a decoding has learned so far: the rounds, and the prefix known to equal the target ranking.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/logits.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/shared_rows.h"

namespace rsd {

// Of how many rounds, the last ones, a policy reads all rows, if it says nothing else.
inline constexpr std::size_t kRecentRounds = 6;
// For those who write rounds down or learn from them.
inline constexpr std::size_t kEveryRound = std::numeric_limits<std::size_t>::max();

// One encoding and what came of it.
struct Round {
  // The proposed ranking as it was encoded: empty for the prompt alone, else up to n_items items.
  std::vector<ItemId> proposal;
  // [n_rows, n_items], n_rows <= n_items: the logits of positions 0..n_rows-1, each conditioned on
  // the proposal before it. Rows that did not change since the last round are shared with it. Of
  // rounds that are no longer recent, those behind the first disagreement are forgotten.
  SharedRows logits;
  // Leading positions at which the proposal is the LLM's own choice: the first disagreement.
  std::size_t accepted = 0;
  // Known prefix after this round; accepted + 1, or n_items when the last item was forced.
  std::size_t known = 0;
};

// The highest logit among items that are not `placed`; ties go to the lower index. `placed` has one
// flag an item and leaves at least one.
ItemId masked_argmax(std::span<const float> row, const std::vector<bool>& placed);

// Owns the accepted-prefix invariant (arXiv 2505.20316, Theorem 1): with the known prefix kept in
// every proposal, each round makes at least one more position known, and what is known stays known.
//
// Memory: each row is stored once, however many rounds hold it. Rows up to a round's first
// disagreement are final and the same in all rounds behind it; the others are kept of the
// `n_recent` last rounds, and for each position the one that was told last. So it takes
// O(n_recent * n_items^2), whatever the number of rounds, and O(n_items^3) with kEveryRound.
// Not thread-safe; value type, a copy shares the rows.
class History {
 public:
  // n_items >= 1. A single item is known from the start. n_recent >= 1.
  explicit History(std::size_t n_items, std::size_t n_recent = kRecentRounds);

  std::size_t n_items() const noexcept { return n_items_; }
  const std::vector<Round>& rounds() const noexcept { return rounds_; }
  // The leading items of the target ranking, as far as they are known.
  std::span<const ItemId> known() const noexcept { return known_; }
  // One flag an item: is it in known()?
  const std::vector<bool>& placed() const noexcept { return placed_; }
  bool complete() const noexcept { return known_.size() == n_items_; }
  // For each position that any round has told, the row that was told last, and the round that holds
  // it.
  const SharedRows& latest_rows() const noexcept { return latest_rows_; }
  std::size_t latest_round(std::size_t row) const { return latest_rounds_.at(row); }

  // The rows of `proposal` up to `end` that no earlier round has told. Empty only if end is
  // covered.
  RowRange missing_rows(std::span<const ItemId> proposal, std::size_t end) const;

  // Takes in the logits of `rows` (as missing_rows named them) for `proposal`, which begins with
  // known(). kRuntime, and nothing changes, when a logit is NaN or infinite: position and item are
  // told. O(n_items^2).
  Result<void> add(std::vector<ItemId> proposal, RowRange rows, const LogitMatrix& logits);

 private:
  void accept(Round& round);
  void place(ItemId item);
  void keep(Round round);

  std::size_t n_items_;
  std::size_t n_recent_;
  std::vector<Round> rounds_;
  SharedRows latest_rows_;
  std::vector<std::size_t> latest_rounds_;  // by row
  std::vector<ItemId> known_;
  std::vector<bool> placed_;
};

}  // namespace rsd
