// What a replay of `ar` over estimated rows (decode/replay.h) tells of the items that are not
// known.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rsd/decode/replay.h"

namespace rsd {

// Items are numbered 0..n-1 by their place in `open`, which are all that the replay has put behind
// the known ones; rows 0..n-1 are its positions there.
class ReplayView {
 public:
  ReplayView(const Replay& replay, std::span<const ItemId> open);

  std::size_t n_items() const noexcept { return place_.size(); }
  // Where the replay has put the item: 0 is the best.
  std::size_t place(std::size_t item) const { return place_[item]; }
  float logit(std::size_t row, std::size_t item) const { return logits_[row * n_items() + item]; }

  // At the item's own row, among those that are left there.
  double choice_log_prob(std::size_t item) const;
  // Its logit there less the strongest rival's, 0 or more; 0 for the last one.
  double lead(std::size_t item) const;
  // Its logit less that of the item placed before it, at that one's row: 0 or less.
  double behind(std::size_t item) const;
  // a's logit less b's, where the first of the two is placed.
  double margin(std::size_t a, std::size_t b) const;
  // From 1, the row is that of an encoded prefix, down to 0: the nearest one is far away.
  double likeness(std::size_t row) const { return likeness_[row]; }

 private:
  std::vector<std::size_t> place_;    // [n]
  std::vector<std::size_t> item_at_;  // [n]
  std::vector<float> logits_;         // [n, n]
  std::vector<double> likeness_;      // [n]
};

// One replay as the policy `replay` has it, and two that weigh the rows otherwise.
struct Replays {
  Replays(std::span<const PrefixRow> rows, std::span<const ItemId> known,
          std::span<const ItemId> open);

  ReplayView usual, broad, sharp;
};

}  // namespace rsd
