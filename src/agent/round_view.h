// One round's logits, as they bear on the items that are not known yet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "rsd/decode/history.h"

namespace rsd {

// Items are numbered 0..n-1 by their place in `open`; rows 0..m-1 from the first disagreement on.
// Row 0 was computed on exactly the prefix that was known then, the rows behind it on one that is
// wrong somewhere. A row's prefix may have used an item up: what the LLM says of it there means
// little.
class RoundView {
 public:
  // `end_row`: rows from there on are passed over.
  RoundView(const Round& round, std::span<const ItemId> open, std::size_t end_row);

  std::size_t n_items() const noexcept { return n_items_; }
  std::size_t n_rows() const noexcept { return n_rows_; }
  // Was any of these items proposed? Else their places are without meaning.
  bool has_proposal() const noexcept { return has_proposal_; }

  bool is_left(std::size_t row, std::size_t item) const { return row < used_up_at_[item]; }
  // The row of the item's own place in the proposal: the last at which it is left; at most m - 1.
  std::size_t own_row(std::size_t item) const;
  // The item's place among these items in the proposal.
  std::size_t place(std::size_t item) const { return place_[item]; }
  // The item at that place.
  std::size_t item_at(std::size_t place) const { return item_at_[place]; }

  float logit(std::size_t row, std::size_t item) const { return logits_[row * n_items_ + item]; }
  // log-probability among all these items.
  float log_prob(std::size_t row, std::size_t item) const { return all_[row * n_items_ + item]; }
  // log-probability among those that are left at the row; of an item that is left.
  float choice_log_prob(std::size_t row, std::size_t item) const {
    return left_[row * n_items_ + item];
  }
  // The highest logit of the other items that are left at the row; of its own where there is none.
  float strongest_rival(std::size_t row, std::size_t item) const;

  // The rows at which both are left are the first ones, this many.
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

// By how much items are preferred to each other over the rows at which both are left: mean of the
// differences of their logits, a row weighing `recency` times the next one. Both are left at the
// first rows, so sums over each item's first rows give all pairs in O(n (n + m)).
class Margins {
 public:
  Margins(const RoundView& view, double recency);

  // a's to b; 0 where there is no such row.
  double operator()(std::size_t a, std::size_t b) const;

 private:
  const RoundView& view_;
  std::vector<double> sums_;     // [m + 1, n] of the first rows' logits
  std::vector<double> weights_;  // [m + 1]
};

}  // namespace rsd
