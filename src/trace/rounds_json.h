// The rounds of a history as JSON, as docs/formats/trace.md describes them. Internal: trace files
// and the server's answers have them.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>

#include "rsd/core/index.h"
#include "rsd/decode/history.h"

namespace rsd {

// The indices under which a reader knows the items of a history.
struct ItemIndices {
  std::span<const ItemId> of_items;  // one per item of the history
  std::size_t n_indices = 0;         // those without an item have the logit null
};

// An array with one object per round. LogicError if rows of the history were forgotten.
nlohmann::ordered_json rounds_json(const History& history, const ItemIndices& indices);

}  // namespace rsd
