#include "merged.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {

namespace {

// Sorts by `key(n, size)`, least first, where n is the item's place in its order and `size` that
// order's length.
std::vector<ItemId> sorted_by(const ItemsByWindow& orders, const auto& key) {
  std::vector<std::pair<double, ItemId>> placed;
  for (const auto& [window, order] : orders) {
    const double size = static_cast<double>(order.size());
    for (std::size_t n = 0; n < order.size(); ++n)
      placed.emplace_back(key(static_cast<double>(n), size), order[n]);
  }
  std::ranges::stable_sort(placed, {}, &std::pair<double, ItemId>::first);
  std::vector<ItemId> items;
  items.reserve(placed.size());
  for (const auto& [place, item] : placed)
    items.push_back(item);
  return items;
}

}  // namespace

std::vector<ItemId> merged(const ItemsByWindow& orders) {
  return sorted_by(orders, [](double n, double size) { return (n + 0.5) / size; });
}

std::vector<ItemId> in_turn(const ItemsByWindow& orders) {
  return sorted_by(orders, [](double n, double /*size*/) { return n; });
}

std::vector<ItemId> by_score(std::span<const ItemId> items, std::span<const float> scores) {
  std::vector<ItemId> ordered(items.begin(), items.end());
  std::ranges::stable_sort(ordered, std::ranges::greater(),
                           [&](ItemId item) { return scores[item.slot()]; });
  return ordered;
}

std::vector<ItemId> together(std::span<const ItemId> items, std::span<const ItemId> some,
                             std::span<const ItemId> others) {
  std::vector<bool> is_wanted(items.size(), false);
  for (const auto& part : {some, others})
    for (const ItemId item : part)
      is_wanted[item.slot()] = true;
  std::vector<ItemId> both;
  std::ranges::copy_if(items, std::back_inserter(both),
                       [&](ItemId item) { return is_wanted[item.slot()]; });
  return both;
}

std::vector<ItemId> taken(ItemsByWindow& under_way, std::size_t number) {
  auto window = under_way.extract(number);
  RSD_CHECK(!window.empty(), "a window that is under way");
  return std::move(window.mapped());
}

std::vector<ItemId> ranked_items(const std::vector<ItemId>& window, const Ranking& ranking) {
  RSD_CHECK(ranking.size() == window.size(), "size of a window's ranking");
  std::vector<ItemId> items;
  items.reserve(window.size());
  for (const ItemId item : ranking.items())
    items.push_back(window[item.slot()]);
  return items;
}

}  // namespace rsd
