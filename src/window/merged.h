#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/rank/ranking.h"

namespace rsd {

// Items by the number of their window: the order in which windows end changes nothing.
using ItemsByWindow = std::map<std::size_t, std::vector<ItemId>>;

// Orders of disjoint items as one, by how far down in its own order each item is; ties in the order
// of the windows.
std::vector<ItemId> merged(const ItemsByWindow& orders);

// The first of each order, then the second of each, and so on; ties in the order of the windows.
std::vector<ItemId> in_turn(const ItemsByWindow& orders);

// Takes a window's items out of those that are under way; it must be one of them.
std::vector<ItemId> taken(ItemsByWindow& under_way, std::size_t number);

// The items of a window in the order of its ranking.
std::vector<ItemId> ranked_items(const std::vector<ItemId>& window, const Ranking& ranking);

}  // namespace rsd
