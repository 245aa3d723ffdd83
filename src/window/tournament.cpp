#include "tournament.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {

Tournament::Tournament(const Ranking& order, const WindowOptions& options)
    : size_(options.size),
      advance_(options.advance),
      pool_(order.items().begin(), order.items().end()),
      most_windows_(std::numeric_limits<std::size_t>::max()) {
  begin_round();
}

std::size_t Tournament::n_windows_for(std::size_t n_items) const {
  std::size_t n = 1;
  while (n_items > size_) {
    const std::size_t n_groups = (n_items + size_ - 1) / size_;
    n += n_groups;
    n_items = n_advancing_of(n_items);
  }
  return n;
}

// The number of items that advance from a round of `n_items`; the last item of a group never does.
std::size_t Tournament::n_advancing_of(std::size_t n_items) const {
  const std::size_t n_groups = (n_items + size_ - 1) / size_;
  return std::min(n_items - n_groups, n_groups * advance_);
}

// The last item of a group never advances, unless it is the only one.
std::size_t Tournament::n_advancing(std::size_t group) const {
  return std::min(advance_, std::max<std::size_t>(group, 2) - 1);
}

// Deals the items to the groups in turn, so that each group gets its share of the first ones.
void Tournament::begin_round() {
  while (pool_.size() > size_ && n_windows_for(pool_.size()) > most_windows_) {
    eliminated_.insert(eliminated_.begin(), pool_.back());
    pool_.pop_back();
  }
  const std::size_t n_groups = (pool_.size() + size_ - 1) / size_;
  groups_.assign(n_groups, {});
  for (std::size_t n = 0; n < pool_.size(); ++n)
    groups_[n % n_groups].push_back(pool_[n]);
  ranked_.clear();
}

std::optional<Window> Tournament::next() {
  if (groups_.empty()) return std::nullopt;
  Items items = std::move(groups_.front());
  groups_.erase(groups_.begin());
  if (most_windows_ > 0) --most_windows_;
  under_way_.emplace(next_number_, items);
  const bool is_last = pool_.size() <= size_;
  const std::size_t wanted = is_last ? items.size() : n_advancing(items.size());
  return Window{.number = next_number_++,
                .items = std::move(items),
                .wanted = wanted,
                .is_last = is_last,
                .pivot = std::nullopt};
}

void Tournament::absorb(std::size_t number, const RankedWindow& window) {
  Items ranked = ranked_items(taken(under_way_, number), window.ranking);
  if (pool_.size() <= size_) {
    pool_ = std::move(ranked);
    confirmed_ = window.verified;
    ended_ = true;
    return;
  }
  ranked_.emplace(number, std::move(ranked));
  exact_ = exact_ && window.verified >= n_advancing(window.ranking.size());
  if (groups_.empty() && under_way_.empty()) end_round();
}

void Tournament::end_round() {
  ItemsByWindow on;
  ItemsByWindow out;
  for (const auto& [number, group] : ranked_) {
    const auto cut = group.begin() + static_cast<std::ptrdiff_t>(std::min(
                                         advance_, std::max<std::size_t>(group.size(), 2) - 1));
    on.emplace(number, Items(group.begin(), cut));
    out.emplace(number, Items(cut, group.end()));
  }
  const Items losers = merged(out);
  eliminated_.insert(eliminated_.begin(), losers.begin(), losers.end());
  pool_ = merged(on);
  begin_round();
}

std::size_t Tournament::n_to_come() const {
  if (ended_) return 0;
  if (pool_.size() <= size_) return groups_.size();
  const std::size_t in_round = (pool_.size() + size_ - 1) / size_;
  return groups_.size() + n_windows_for(pool_.size()) - in_round;
}

// A round that has begun is completed.
void Tournament::limit(std::size_t n_windows) {
  most_windows_ = n_windows;
  if (!ended_ && under_way_.empty() && ranked_.empty()) begin_round();
}

// Each round needs at least one window; the remaining rounds are counted at full width.
std::size_t Tournament::n_within(std::size_t n_rounds, std::size_t at_once) const {
  std::size_t n_needed = 1;
  for (std::size_t n = pool_.size(); n > size_; ++n_needed)
    n = n_advancing_of(n);
  if (n_rounds < n_needed) return n_rounds;
  return n_needed - 1 + (n_rounds - n_needed + 1) * at_once;
}

Ranking Tournament::order() const {
  Items items;
  if (ended_ || ranked_.empty()) {
    items = pool_;
  } else {
    ItemsByWindow parts = ranked_;
    parts.insert(under_way_.begin(), under_way_.end());
    for (const Items& group : groups_)
      parts.emplace(next_number_ + parts.size(), group);
    items = merged(parts);
  }
  items.insert(items.end(), eliminated_.begin(), eliminated_.end());
  return *Ranking::create(std::move(items));
}

std::size_t Tournament::verified() const {
  return ended_ && exact_ ? confirmed_ : 0;
}

std::size_t Tournament::confirmed() const {
  return confirmed_;
}

}  // namespace rsd
