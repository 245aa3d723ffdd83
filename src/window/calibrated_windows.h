#pragma once

#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "merged.h"
#include "rsd/window/window_plan.h"

namespace rsd {

// Ranks the first W items, then all others in windows that each include one of them, the pivot,
// which makes the logits of different windows comparable. Takes one row of each window, and no
// final window.
class CalibratedWindows final : public WindowPlan {
 public:
  // `order` has more items than options.size.
  CalibratedWindows(const Ranking& order, const WindowOptions& options);

  std::optional<Window> next() override;
  void absorb(std::size_t number, const RankedWindow& window) override;
  std::size_t n_to_come() const override;
  void limit(std::size_t n_windows) override;
  std::size_t n_within(std::size_t n_rounds, std::size_t at_once) const override;
  Ranking order() const override;
  std::size_t verified() const override;
  std::size_t confirmed() const override;

 private:
  Window give(std::vector<ItemId> items);
  std::vector<ItemId> deal_next();
  void score(std::span<const ItemId> items, std::span<const float> logits, float pivot);
  void take_back(std::span<const ItemId> items);
  std::size_t n_first_to_come() const;
  std::size_t n_comparisons_to_come() const;

  std::vector<ItemId> order_;
  std::size_t size_;
  std::size_t n_above_pivot_;                                           // in the first window
  std::size_t most_windows_ = std::numeric_limits<std::size_t>::max();  // from now on
  std::size_t next_number_ = 0;
  ItemsByWindow under_way_;
  std::optional<ItemId> pivot_;  // nullopt until the first window is ranked
  std::vector<ItemId> rest_;     // not compared yet, in the list's order
  std::vector<float> scores_;    // by item: its logit less the pivot's; -inf = not compared
};

}  // namespace rsd
