// A ranking: a permutation of a request's candidates, best first.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

// Always a valid permutation of 0..size()-1; every way to build one checks this. Value type;
// thread-compatible.
class Ranking {
 public:
  Ranking() = default;

  // The input order: 0, 1, …, n_items-1.
  static Ranking identity(std::size_t n_items);

  // kInvalidInput when `items` is not a permutation of 0..items.size()-1; the message names the
  // first item that is out of range or repeated, and its position.
  static Result<Ranking> create(std::vector<ItemId> items);

  // Items by descending score; ties keep the input order. Infinite scores are allowed; NaN throws
  // LogicError.
  static Ranking by_score(std::span<const double> scores);

  // `prefix` first, then every other item by descending score (`scores` has one score per item);
  // ties keep the input order. Throws LogicError when `prefix` repeats an item or holds one without
  // a score, or a score, the prefix's included, is NaN. O(K log K).
  static Ranking with_prefix(std::span<const ItemId> prefix, std::span<const double> scores);

  std::size_t size() const noexcept { return items_.size(); }
  ItemId at(Position position) const { return items_[position.slot()]; }
  std::span<const ItemId> items() const& noexcept { return items_; }
  std::span<const ItemId> items() && = delete;  // the span would dangle
  // The inverse permutation: element i is the position of item i.
  std::vector<Position> positions() const;

  bool operator==(const Ranking&) const = default;

 private:
  explicit Ranking(std::vector<ItemId> items) : items_(std::move(items)) {}

  std::vector<ItemId> items_;
};

}  // namespace rsd
