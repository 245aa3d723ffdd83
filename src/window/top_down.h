#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "merged.h"
#include "rsd/window/window_plan.h"

namespace rsd {

// Ranks the first W items, then compares all others with one of them, the pivot, and then ranks the
// items above it; repeats while these exceed a window. A pool is ranked in one more window at the
// end.
class TopDown final : public WindowPlan {
 public:
  // `order` has more items than options.size.
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
  std::size_t fill(std::vector<ItemId>& pool, std::vector<ItemId>& after) const;
  std::vector<ItemId> cut(std::vector<ItemId>& pool) const;
  std::size_t n_first_wanted() const;
  void append_from_pivot(std::vector<ItemId>& items) const;
  void end_round_if_due();
  bool has_compared() const;
  std::size_t n_comparisons_to_come() const;

  std::size_t size_;
  std::size_t n_above_pivot_;        // in the first window
  std::optional<std::size_t> pool_;  // number of items to rank again
  Stage stage_ = Stage::kFirst;
  bool given_ = false;  // the window of the first or last stage was returned by next()
  std::size_t next_number_ = 0;
  std::size_t most_windows_ = std::numeric_limits<std::size_t>::max();  // from now on
  ItemsByWindow under_way_;
  std::vector<ItemId> first_;  // this round's first window, in ranked order once it is known
  std::vector<ItemId> rest_;   // not compared yet, perhaps never for want of time or windows
  ItemId pivot_;
  ItemsByWindow above_;  // items above the pivot, by window
  ItemsByWindow below_;
  ItemsByWindow undecoded_;         // items of windows that were not decoded
  std::vector<ItemId> tail_;        // final order of the items after this round's
  std::size_t first_verified_ = 0;  // verified positions of this round's first window
  bool exact_ = true;               // every window is verified as far as its ranking was used
  std::size_t n_after_last_ = 0;    // items known to follow the last window's: the pivot, or none
  std::size_t confirmed_ = 0;
};

}  // namespace rsd
