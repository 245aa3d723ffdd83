#include "merged.h"

#include <algorithm>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {

std::vector<ItemId> merged(const ItemsByWindow& orders) {
  std::vector<std::pair<double, ItemId>> placed;
  for (const auto& [window, order] : orders) {
    for (std::size_t n = 0; n < order.size(); ++n)
      placed.emplace_back((static_cast<double>(n) + 0.5) / static_cast<double>(order.size()),
                          order[n]);
  }
  std::ranges::stable_sort(placed, {}, &std::pair<double, ItemId>::first);
  std::vector<ItemId> items;
  items.reserve(placed.size());
  for (const auto& [place, item] : placed)
    items.push_back(item);
  return items;
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
