// A replay of `ar` over estimated rows (decode/replay.h), seen from the pending items.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rsd/decode/replay.h"

namespace rsd {

// Items are numbered 0..n-1 by their index in `open`, which holds all pending items; rows 0..n-1
// are the replay's positions after the known prefix.
class ReplayView {
 public:
  ReplayView(const Replay& replay, std::span<const ItemId> open);

  std::size_t n_items() const noexcept { return place_.size(); }
  // The item's position in the replay, 0 is the best.
  std::size_t place(std::size_t item) const { return place_[item]; }
  float logit(std::size_t row, std::size_t item) const { return logits_[row * n_items() + item]; }

  // Log-probability of the item among the unplaced ones, at its own row.
  double choice_log_prob(std::size_t item) const;
  // Its logit less the strongest rival's, at its own row; 0 or more, 0 for the last item.
  double lead(std::size_t item) const;
  // Its logit less that of the item placed before it, at that item's row; 0 or less.
  double behind(std::size_t item) const;
  // a's logit less b's, at the row where the first of the two is placed.
  double margin(std::size_t a, std::size_t b) const;
  // The similarity of the nearest encoded prefix to the row's: 1 = equal, towards 0 = far away.
  double likeness(std::size_t row) const { return likeness_[row]; }

 private:
  std::vector<std::size_t> place_;    // [n]
  std::vector<std::size_t> item_at_;  // [n]
  std::vector<float> logits_;         // [n, n]
  std::vector<double> likeness_;      // [n]
};

// The replay of the policy `replay`, and two with other weights for the rows.
struct Replays {
  Replays(std::span<const PrefixRow> rows, std::span<const ItemId> known,
          std::span<const ItemId> open);

  ReplayView usual, broad, sharp;
};

}  // namespace rsd
