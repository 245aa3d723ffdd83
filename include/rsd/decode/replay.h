// What `ar` would do from here on, judged by every row that is known.
//
// A row of logits depends on the prefix it was computed on. A wrong proposal's rows were computed
// on wrong prefixes, and yet on such that are much like the right ones. So `ar` is replayed: at
// each position its row is estimated as the mean of all rows that are known, of all rounds and
// positions, those weighing most whose prefix is most like that of the replay (Nadaraya-Watson
// regression over prefixes); the best item that is left is placed; and so on to the end.
#pragma once

#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/decode/history.h"
#include "rsd/decode/logits.h"

namespace rsd {

// A row of logits and the ranking's beginning it was computed on. Both live elsewhere.
struct PrefixRow {
  std::span<const ItemId> prefix;
  std::span<const float> logits;  // one an item
};

// The rows of `rounds`, a row that several rounds hold once.
std::vector<PrefixRow> distinct_rows(std::span<const Round> rounds);

// An item d places from the end of a prefix stands for `membership` + `recency` * decay^d, one that
// isn't in it for 0. Two prefixes are as far apart as the sum of the differences over the items,
// and `length` for each item that one is longer. A row at distance x weighs exp(-sharpness * x).
// The values were found on training requests (docs/measurements.md).
struct ReplayOptions {
  double membership = 0.5;
  double recency = 2;
  double decay = 0.5;
  double length = 0.3;
  double sharpness = 1;
};

struct Replay {
  std::vector<ItemId> order;      // every item, the known ones first
  LogitMatrix rows;               // [n - n_known, n] as estimated at the positions behind these
  std::vector<double> distances;  // [n - n_known] of the nearest prefix at each
};

// `rows` holds at least one row; `known` is the beginning to go on from. What a row says of an
// item in its own prefix counts the less the more an LLM's logits drop for what it has placed, and
// that drop, estimated from the rows themselves, is made up for. O(R n^2) for R rows and n items.
Replay replay(std::span<const PrefixRow> rows, std::span<const ItemId> known,
              const ReplayOptions& options = {});

}  // namespace rsd
