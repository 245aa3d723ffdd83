// Short-hand for rankings in tests.
#pragma once

#include <initializer_list>
#include <vector>

#include "rsd/core/index.h"

namespace rsd {

inline std::vector<ItemId> items(std::initializer_list<int> indices) {
  std::vector<ItemId> list;
  for (const int index : indices)
    list.emplace_back(index);
  return list;
}

}  // namespace rsd
