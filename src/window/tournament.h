#pragma once

#include <optional>
#include <vector>

#include "merged.h"
#include "rsd/window/window_plan.h"

namespace rsd {

// Groups of at most a window's size, whose first items advance, until one window holds all that are
// left.
class Tournament final : public WindowPlan {
 public:
  // `order` has more items than options.size.
  Tournament(const Ranking& order, const WindowOptions& options);

  std::optional<Window> next() override;
  void absorb(std::size_t number, const RankedWindow& window) override;
  std::size_t n_to_come() const override;
  void limit(std::size_t n_windows) override;
  std::size_t n_within(std::size_t n_rounds, std::size_t at_once) const override;
  Ranking order() const override;
  std::size_t verified() const override;
  std::size_t confirmed() const override;

 private:
  using Items = std::vector<ItemId>;

  std::size_t n_windows_for(std::size_t n_items) const;
  std::size_t n_advancing_of(std::size_t n_items) const;
  std::size_t n_advancing(std::size_t group) const;
  void begin_round();
  void end_round();

  std::size_t size_;
  std::size_t advance_;
  Items pool_;                 // this round's items, in their current order
  std::vector<Items> groups_;  // not returned by next() yet
  ItemsByWindow under_way_;
  ItemsByWindow ranked_;  // this round's ranked groups
  Items eliminated_;      // items that did not advance, those of later rounds first
  std::size_t next_number_ = 0;
  std::size_t most_windows_;
  bool ended_ = false;
  bool exact_ = true;
  std::size_t confirmed_ = 0;
};

}  // namespace rsd
