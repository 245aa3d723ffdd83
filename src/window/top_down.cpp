#include "top_down.h"

#include <algorithm>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

void append(std::vector<ItemId>& items, const std::vector<ItemId>& more) {
  items.insert(items.end(), more.begin(), more.end());
}

}  // namespace

TopDown::TopDown(const Ranking& order, const WindowOptions& options)
    : size_(options.size),
      n_above_pivot_(options.pivot.value_or(options.size / 2)),
      pool_(options.pool) {
  RSD_CHECK(order.size() > size_, "a list longer than a window");
  begin_round({order.items().begin(), order.items().end()});
}

// A pool that fits one window is ranked in it, which ends the plan.
void TopDown::begin_round(std::vector<ItemId> pool) {
  if (most_windows_ == 0) {
    first_ = std::move(pool);
    stage_ = Stage::kEnd;
    return;
  }
  stage_ = pool.size() > size_ ? Stage::kFirst : Stage::kLast;
  given_ = false;
  above_.clear();
  below_.clear();
  undecoded_.clear();
  const auto cut = pool.begin() + static_cast<std::ptrdiff_t>(std::min(size_, pool.size()));
  first_.assign(pool.begin(), cut);
  rest_.assign(cut, pool.end());
}

Window TopDown::give(std::vector<ItemId> items) {
  --most_windows_;
  under_way_.emplace(next_number_, items);
  return {.number = next_number_++,
          .items = std::move(items),
          .wanted = 0,
          .is_last = false,
          .pivot = std::nullopt};
}

std::optional<Window> TopDown::next() {
  end_round_if_due();
  if (stage_ == Stage::kEnd) return std::nullopt;
  if (stage_ == Stage::kCompare) {
    if (n_comparisons_to_come() == 0) return std::nullopt;
    std::vector<ItemId> items{pivot_};
    const auto cut = rest_.begin() + static_cast<std::ptrdiff_t>(std::min(size_ - 1, rest_.size()));
    items.insert(items.end(), rest_.begin(), cut);
    rest_.erase(rest_.begin(), cut);
    Window window = give(std::move(items));
    window.pivot = ItemId(0);
    return window;
  }
  if (std::exchange(given_, true)) return std::nullopt;
  Window window = give(first_);
  window.is_last = stage_ == Stage::kLast;
  window.wanted = window.is_last ? first_.size() : n_first_wanted();
  return window;
}

// The first window's wanted positions: the pivot, the items above it, and those that may fill the
// pool.
std::size_t TopDown::n_first_wanted() const {
  return std::max(n_above_pivot_ + 1, std::min(pool_.value_or(0), size_));
}

void TopDown::absorb(std::size_t number, const RankedWindow& window) {
  const auto ranked = ranked_items(taken(under_way_, number), window.ranking);
  const std::size_t verified = window.verified;
  switch (stage_) {
    case Stage::kFirst:
      return absorb_first(number, ranked, verified);
    case Stage::kCompare:
      return absorb_comparison(number, ranked, verified);
    case Stage::kLast:
      first_ = ranked;
      confirmed_ = verified < ranked.size() ? verified : verified + n_after_last_;
      stage_ = Stage::kEnd;
      return;
    case Stage::kEnd:
      break;
  }
  RSD_CHECK(false, "a ranking after the end");
}

void TopDown::absorb_first(std::size_t number, const std::vector<ItemId>& ranked,
                           std::size_t verified) {
  const auto pivot = ranked.begin() + static_cast<std::ptrdiff_t>(n_above_pivot_);
  first_ = ranked;
  pivot_ = *pivot;
  above_.emplace(number, std::vector<ItemId>(ranked.begin(), pivot));
  below_.emplace(number, std::vector<ItemId>(pivot + 1, ranked.end()));
  first_verified_ = verified;
  stage_ = Stage::kCompare;
  if (rest_.empty()) end_round();
}

void TopDown::absorb_comparison(std::size_t number, const std::vector<ItemId>& ranked,
                                std::size_t verified) {
  // The comparisons are exact only if the pivot's position in the first window is verified.
  exact_ = exact_ && first_verified_ > n_above_pivot_;
  if (verified == 0) {  // not decoded: its items stay after the compared ones
    exact_ = false;
    undecoded_.emplace(number, std::vector<ItemId>(ranked.begin() + 1, ranked.end()));
  } else {
    const auto pivot = std::ranges::find(ranked, pivot_);
    above_.emplace(number, std::vector<ItemId>(ranked.begin(), pivot));
    below_.emplace(number, std::vector<ItemId>(pivot + 1, ranked.end()));
    exact_ = exact_ && verified > above_.at(number).size();
  }
  if (rest_.empty() && under_way_.empty()) end_round();
}

// Appends the pivot, the items below it, and the items of windows that were not decoded.
void TopDown::append_from_pivot(std::vector<ItemId>& items) const {
  items.push_back(pivot_);
  append(items, merged(below_));
  for (const auto& [number, undecoded] : undecoded_)
    append(items, undecoded);
}

// Fills the pool with the pivot and the items below it in the first window, which are ranked
// relative to each other, at most up to a window's size, so that the next round is the last.
// Returns the number of items taken from `after`.
std::size_t TopDown::fill(std::vector<ItemId>& pool, std::vector<ItemId>& after) const {
  std::vector<ItemId> own{pivot_};
  append(own, below_.begin()->second);
  const std::size_t most = std::min(pool_.value_or(0), size_);
  const std::size_t n_lacking = most - std::min(most, pool.size());
  own.resize(std::min(n_lacking, own.size()));
  for (const ItemId item : own)
    std::erase(after, item);
  append(pool, own);
  return own.size();
}

// Removes the items from `pool` that exceed pool_ and returns them.
std::vector<ItemId> TopDown::cut(std::vector<ItemId>& pool) const {
  const auto end = pool.begin() +
                   static_cast<std::ptrdiff_t>(std::min(pool_.value_or(pool.size()), pool.size()));
  std::vector<ItemId> after(end, pool.end());
  pool.erase(end, pool.end());
  return after;
}

void TopDown::end_round() {
  auto pool = in_turn(above_);
  const std::size_t n_first_above = above_.begin()->second.size();
  const bool any_came = pool.size() > n_first_above;
  auto after = cut(pool);
  const bool is_cut = !after.empty();
  append_from_pivot(after);
  const std::size_t n_filled = fill(pool, after);
  append(after, std::exchange(rest_, {}));
  append(after, tail_);
  tail_ = std::move(after);
  if (!any_came) return end_with_first(std::move(pool));
  if (n_filled > 0) exact_ = exact_ && first_verified_ >= n_first_above + n_filled;
  n_after_last_ = is_cut || n_filled > 0 ? 0 : 1;
  begin_round(std::move(pool));
}

// No other item beat the pivot: the items above it keep the first window's order, and so do the
// items that fill the pool.
void TopDown::end_with_first(std::vector<ItemId> pool) {
  const std::size_t n_settled = std::max(n_above_pivot_ + 1, pool.size());
  confirmed_ = has_compared() ? std::min(first_verified_, n_settled) : first_verified_;
  first_ = std::move(pool);
  stage_ = Stage::kEnd;
}

void TopDown::end_round_if_due() {
  if (stage_ == Stage::kCompare && under_way_.empty() && n_comparisons_to_come() == 0) end_round();
}

bool TopDown::has_compared() const {
  return stage_ == Stage::kCompare &&
         (!under_way_.empty() || above_.size() + undecoded_.size() > 1);
}

// The comparisons that the window limit allows. One window is reserved for ranking the items that
// beat the pivot, except when it is needed for the first comparison.
std::size_t TopDown::n_comparisons_to_come() const {
  if (stage_ != Stage::kFirst && stage_ != Stage::kCompare) return 0;
  const std::size_t needed = (rest_.size() + size_ - 2) / (size_ - 1);
  const bool first_is_to_come = stage_ == Stage::kFirst && !given_;
  std::size_t left = most_windows_;
  if (first_is_to_come && left > 0) --left;
  if (left > 1 || (left > 0 && has_compared())) --left;
  return std::min(needed, left);
}

std::size_t TopDown::n_to_come() const {
  if (stage_ == Stage::kEnd) return 0;
  if (stage_ == Stage::kLast) return given_ ? 0 : std::min<std::size_t>(1, most_windows_);
  const std::size_t n_comparisons = n_comparisons_to_come();
  const std::size_t n_first = stage_ == Stage::kFirst && !given_ ? 1 : 0;
  const std::size_t n_last = n_comparisons > 0 || has_compared() ? 1 : 0;
  return std::min(n_first + n_comparisons + n_last, most_windows_);
}

// The last items of the list aren't compared: they stay after the compared ones.
void TopDown::limit(std::size_t n_windows) {
  most_windows_ = n_windows;
  end_round_if_due();
}

std::size_t TopDown::n_within(std::size_t n_rounds, std::size_t at_once) const {
  const std::size_t n_alone = stage_ == Stage::kFirst && !given_ ? 2 : 1;  // the first and the last
                                                                           // window
  if (stage_ == Stage::kLast || n_rounds <= n_alone) return n_rounds;
  return n_alone + (n_rounds - n_alone) * at_once;
}

Ranking TopDown::order() const {
  std::vector<ItemId> items;
  if (stage_ == Stage::kCompare) {
    items = in_turn(above_);
    append_from_pivot(items);
    for (const auto& [number, window] : under_way_)
      items.insert(items.end(), window.begin() + 1, window.end());
  } else {
    items = first_;
  }
  append(items, rest_);
  append(items, tail_);
  return *Ranking::create(std::move(items));
}

std::size_t TopDown::verified() const {
  return stage_ == Stage::kEnd && exact_ ? confirmed_ : 0;
}

std::size_t TopDown::confirmed() const {
  return confirmed_;
}

}  // namespace rsd
