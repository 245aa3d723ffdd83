// Estimates how `ar` would continue from all rows computed so far.
//
// A row of logits depends on the prefix that it was computed on. A wrong proposal's rows were
// computed on wrong prefixes, but these are often similar to the right ones. So `ar` is replayed:
// at each position the row is estimated as the weighted mean of the rows of all rounds and
// positions, weighted by the similarity of their prefix to the replay's (Nadaraya-Watson regression
// over prefixes); the best remaining item is placed; and so on to the end.
#pragma once

#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/decode/history.h"
#include "rsd/decode/logits.h"

namespace rsd {

// A row of logits and the prefix that it was computed on. Does not own either.
struct PrefixRow {
  std::span<const ItemId> prefix;
  std::span<const float> logits;  // one per item
};

// The rows of `rounds`; a row that several rounds share appears once.
std::vector<PrefixRow> distinct_rows(std::span<const Round> rounds);

// Prefixes are compared as vectors over the items: an item d places from the end of a prefix has
// the value `membership` + `recency` * decay^d, an item that isn't in it 0. The distance of two
// prefixes is the L1 distance of their vectors plus `length` times the difference of their lengths.
// A row at distance x has the weight exp(-sharpness * x). The values were tuned on training
// requests (docs/measurements.md).
struct ReplayOptions {
  double membership = 0.5;
  double recency = 2;
  double decay = 0.5;
  double length = 0.3;
  double sharpness = 1;
};

struct Replay {
  std::vector<ItemId> order;      // every item, the known ones first
  LogitMatrix rows;               // [n - n_known, n] the estimated rows at the positions after the
                                  // known ones
  std::vector<double> distances;  // [n - n_known] to the nearest prefix at each of these positions
};

// `rows` has at least one row; `known` is the prefix to continue from. An LLM's logit of an item
// drops once the item is placed. This drop is estimated from the rows themselves; a row's logits of
// items in its own prefix are corrected by it, and weigh less the larger it is. O(R n^2) for R rows
// and n items.
Replay replay(std::span<const PrefixRow> rows, std::span<const ItemId> known,
              const ReplayOptions& options = {});

}  // namespace rsd
