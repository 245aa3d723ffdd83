// Rankings in tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <random>
#include <vector>

#include "rsd/core/index.h"

namespace rsd {

inline std::vector<ItemId> items(std::initializer_list<int> indices) {
  std::vector<ItemId> list;
  for (const int index : indices)
    list.emplace_back(index);
  return list;
}

inline std::vector<ItemId> shuffled(std::size_t n_items, std::mt19937& random) {
  std::vector<ItemId> order;
  for (std::size_t i = 0; i < n_items; ++i)
    order.emplace_back(i);
  std::ranges::shuffle(order, random);
  return order;
}

}  // namespace rsd
