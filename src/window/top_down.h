#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "merged.h"
#include "rsd/window/window_plan.h"

namespace rsd {

// The first W items, then all others against one of them, the pivot, then what is above it; again,
// while that is more than a window. A pool is ranked in one window more at the end.
class TopDown final : public WindowPlan {
 public:
  // More items than options.size.
  TopDown(const Ranking& order, const WindowOptions& options);

  std::optional<Window> next() override;
  void absorb(std::size_t number, const RankedWindow& window) override;
  std::size_t n_to_come() const override;
  void limit(std::size_t n_windows) override;
  std::size_t n_within(std::size_t n_rounds, std::size_t at_once) const override;
  Ranking order() const override;
  std::size_t verified() const override;
  std::size_t confirmed() const override;

 private:
  enum class Stage { kFirst, kCompare, kLast, kEnd };

  Window give(std::vector<ItemId> items);
  void begin_round(std::vector<ItemId> pool);
  void absorb_first(std::size_t number, const std::vector<ItemId>& ranked, std::size_t verified);
  void absorb_comparison(std::size_t number, const std::vector<ItemId>& ranked,
                         std::size_t verified);
  void end_round();
  void end_with_first(std::vector<ItemId> pool);
  std::size_t fill(std::vector<ItemId>& pool, std::vector<ItemId>& behind) const;
  std::vector<ItemId> cut(std::vector<ItemId>& pool) const;
  std::size_t n_first_wanted() const;
  void append_from_pivot(std::vector<ItemId>& items) const;
  void end_round_if_due();
  bool has_compared() const;
  std::size_t n_comparisons_to_come() const;

  std::size_t size_;
  std::size_t n_above_pivot_;        // in the first window
  std::optional<std::size_t> pool_;  // items that are ranked again
  Stage stage_ = Stage::kFirst;
  bool given_ = false;  // the window of the first or last stage
  std::size_t next_number_ = 0;
  std::size_t most_windows_ = std::numeric_limits<std::size_t>::max();  // from now on
  ItemsByWindow under_way_;
  std::vector<ItemId> first_;  // of this round: the first window, ranked once it is there
  std::vector<ItemId> rest_;   // not compared, for want of time or windows perhaps never
  ItemId pivot_;
  ItemsByWindow above_;  // the pivot: by window
  ItemsByWindow below_;
  ItemsByWindow untold_;            // of windows that were not decoded
  std::vector<ItemId> tail_;        // settled behind this round's items
  std::size_t first_verified_ = 0;  // of this round's first window
  bool exact_ = true;               // every window has told what it was to tell
  std::size_t behind_last_ = 0;  // items whose place behind the last window's is known: the pivot
  std::size_t confirmed_ = 0;
};

}  // namespace rsd
