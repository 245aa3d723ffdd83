// The history of a decoding: its rounds, and the prefix known to equal the target ranking.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/logits.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

// The default for the number of last rounds of which a policy reads all rows.
inline constexpr std::size_t kRecentRounds = 6;
// Keeps all rows of all rounds, for traces and for training.
inline constexpr std::size_t kEveryRound = std::numeric_limits<std::size_t>::max();

// One encoding and its result.
struct Round {
  // The proposed ranking as it was encoded: empty for the prompt alone, else up to n_items items.
  std::vector<ItemId> proposal;
  // [n_rows, n_items], n_rows <= n_items: the logits of positions 0..n_rows-1, each conditioned on
  // the proposal before it. Rows that did not change since the last round are shared with it. In
  // rounds that are no longer recent, the rows after the first disagreement are forgotten.
  SharedRows logits;
  // Leading positions at which the proposal is the LLM's own choice: the first disagreement.
  std::size_t accepted = 0;
  // Known prefix after this round; accepted + 1, or n_items when the last item was forced.
  std::size_t known = 0;
};

// The highest logit among items that are not `placed`; ties go to the lower index. `placed` has one
// flag per item, at least one of them false.
ItemId masked_argmax(std::span<const float> row, const std::vector<bool>& placed);

// Owns the accepted-prefix invariant (arXiv 2505.20316, Theorem 1): with the known prefix kept in
// every proposal, each round makes at least one more position known, and known positions stay
// known.
//
// Memory: each row is stored once, however many rounds share it. Rows up to a round's first
// disagreement are final and shared by all later rounds. The other rows are kept for the last
// `n_recent` rounds, and for each position the latest one. This takes O(n_recent * n_items^2) for
// any number of rounds, and O(n_items^3) with kEveryRound. Not thread-safe; value type, a copy
// shares the rows.
class History {
 public:
  // n_items >= 1. A single item is known from the start. n_recent >= 1.
  explicit History(std::size_t n_items, std::size_t n_recent = kRecentRounds);

  std::size_t n_items() const noexcept { return n_items_; }
  const std::vector<Round>& rounds() const noexcept { return rounds_; }
  // The known prefix: the leading items of the target ranking that are known.
  std::span<const ItemId> known() const noexcept { return known_; }
  // One flag per item: true if it is in known().
  const std::vector<bool>& placed() const noexcept { return placed_; }
  bool complete() const noexcept { return known_.size() == n_items_; }
  // The latest row for each position of which any round has one, and the index of the round that
  // computed it.
  const SharedRows& latest_rows() const noexcept { return latest_rows_; }
  std::size_t latest_round(std::size_t row) const { return latest_rounds_.at(row); }

  // The rows of `proposal` before `end` that no earlier round has computed. Empty only if all of
  // them are computed.
  RowRange missing_rows(std::span<const ItemId> proposal, std::size_t end) const;

  // Takes in the logits of `rows` (as missing_rows named them) for `proposal`, which begins with
  // known(). kRuntime when a logit is NaN or infinite; the message names position and item, and
  // nothing changes. O(n_items^2).
  Result<void> add(std::vector<ItemId> proposal, RowRange rows, const LogitMatrix& logits);

  // The history as it was after its first `n_rounds` rounds, whose rows it shares. LogicError if
  // there are fewer rounds, or if rows were forgotten. O(n_rounds * n_items).
  History after(std::size_t n_rounds) const;

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
