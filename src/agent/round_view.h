// One round's logits of the pending items.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "rsd/decode/history.h"

namespace rsd {

// Items are numbered 0..n-1 by their index in `open`; rows 0..m-1 start at the first disagreement.
// Row 0 was computed on exactly the prefix that was known then, later rows on a prefix that is
// wrong somewhere. An item may already be placed in a row's prefix: its logit there means little.
class RoundView {
 public:
  // Rows from `end_row` on are ignored.
  RoundView(const Round& round, std::span<const ItemId> open, std::size_t end_row);

  std::size_t n_items() const noexcept { return n_items_; }
  std::size_t n_rows() const noexcept { return n_rows_; }
  // True if the round had a proposal. Without one, places have no meaning.
  bool has_proposal() const noexcept { return has_proposal_; }

  bool is_left(std::size_t row, std::size_t item) const { return row < used_up_at_[item]; }
  // The row of the item's place in the proposal, the last one at which it is unplaced; at most m -
  // 1.
  std::size_t own_row(std::size_t item) const;
  // The item's place in the proposal, counting only the pending items.
  std::size_t place(std::size_t item) const { return place_[item]; }
  // The item at `place`.
  std::size_t item_at(std::size_t place) const { return item_at_[place]; }

  float logit(std::size_t row, std::size_t item) const { return logits_[row * n_items_ + item]; }
  // Log-probability among all pending items.
  float log_prob(std::size_t row, std::size_t item) const { return all_[row * n_items_ + item]; }
  // Log-probability among the items unplaced at the row; `item` must be one of them.
  float choice_log_prob(std::size_t row, std::size_t item) const {
    return left_[row * n_items_ + item];
  }
  // The highest logit of the other items unplaced at the row; the item's own if there is none.
  float strongest_rival(std::size_t row, std::size_t item) const;

  // The number of rows, always the first ones, at which both items are unplaced.
  std::size_t n_shared_rows(std::size_t a, std::size_t b) const {
    return std::min({used_up_at_[a], used_up_at_[b], n_rows_});
  }

 private:
  void find_places(const Round& round, std::span<const ItemId> open);
  void normalise();

  std::size_t n_items_;
  std::size_t first_row_;
  std::size_t n_rows_;
  bool has_proposal_ = false;
  std::vector<std::size_t> used_up_at_;     // [n] the first row whose prefix holds the item
  std::vector<std::size_t> place_;          // [n]
  std::vector<std::size_t> item_at_;        // [n]
  std::vector<float> logits_, all_, left_;  // [m, n]
};

// Pairwise preferences: the weighted mean of the logit differences over the rows at which both
// items are unplaced; a row weighs `recency` times as much as the next one. These are always the
// first rows, so prefix sums over each item's rows give all pairs in O(n (n + m)).
class Margins {
 public:
  Margins(const RoundView& view, double recency);

  // The preference for a over b; 0 if there is no such row.
  double operator()(std::size_t a, std::size_t b) const;

 private:
  const RoundView& view_;
  std::vector<double> sums_;     // [m + 1, n] weighted sums of the first rows' logits
  std::vector<double> weights_;  // [m + 1]
};

}  // namespace rsd
