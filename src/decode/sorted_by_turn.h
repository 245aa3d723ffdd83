// Sorts requests by whose turn it is. Internal: BatchRun sorts windows, ListBatch lists.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "rsd/decode/turn.h"

namespace rsd {

// The entries whose turn it is first are first; equal turns keep their order.
template <class Entry>
std::vector<Entry*> sorted_by_turn(std::vector<std::pair<Turn, Entry*>> turns) {
  std::ranges::stable_sort(turns, {}, &std::pair<Turn, Entry*>::first);
  std::vector<Entry*> entries;
  entries.reserve(turns.size());
  for (const auto& [turn, entry] : turns)
    entries.push_back(entry);
  return entries;
}

}  // namespace rsd
