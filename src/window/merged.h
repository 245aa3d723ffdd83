#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/rank/ranking.h"

namespace rsd {

// Items by the number of their window, so that the order in which windows end does not matter.
using ItemsByWindow = std::map<std::size_t, std::vector<ItemId>>;

// Merges orders of disjoint items by each item's relative place in its own order; ties in the order
// of the windows.
std::vector<ItemId> merged(const ItemsByWindow& orders);

// Interleaves: the first item of each order, then the second of each, and so on, in the order of
// the windows.
std::vector<ItemId> in_turn(const ItemsByWindow& orders);

// The highest score first, by item; equal ones in their order among `items`.
std::vector<ItemId> by_score(std::span<const ItemId> items, std::span<const float> scores);

// Those of `items` that are in one of both, in their order among `items`.
std::vector<ItemId> together(std::span<const ItemId> items, std::span<const ItemId> some,
                             std::span<const ItemId> others);

// Removes a window from the ones in progress and returns its items. LogicError if it is not one of
// them.
std::vector<ItemId> taken(ItemsByWindow& under_way, std::size_t number);

// The items of a window in the order of its ranking.
std::vector<ItemId> ranked_items(const std::vector<ItemId>& window, const Ranking& ranking);

}  // namespace rsd
