#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "merged.h"
#include "rsd/window/window_plan.h"

namespace rsd {

// Reads how relevant each item is, in windows that don't depend on each other, and ranks the W most
// relevant ones in a last window. What the LLM reads of an item is the same in every window, so
// nothing has to be compared across windows.
class RelevanceWindows final : public WindowPlan {
 public:
  // `order` has more items than options.size.
  RelevanceWindows(const Ranking& order, const WindowOptions& options);

  std::optional<Window> next() override;
  void absorb(std::size_t number, const RankedWindow& window) override;
  std::size_t n_to_come() const override;
  // The items that are not read stay after the others; with one window left, it ranks the most
  // relevant ones so far.
  void limit(std::size_t n_windows) override { most_windows_ = n_windows; }
  std::size_t n_within(std::size_t n_rounds, std::size_t at_once) const override;
  Ranking order() const override;
  std::size_t verified() const override;
  std::size_t confirmed() const override { return verified(); }

 private:
  enum class Last { kToCome, kUnderWay, kRanked };

  Window give(std::vector<ItemId> items, bool is_last);
  void absorb_last(const RankedWindow& window, const std::vector<ItemId>& items);
  std::size_t n_readings_to_come() const;

  std::vector<ItemId> order_;
  std::size_t size_;
  std::size_t most_windows_ = std::numeric_limits<std::size_t>::max();  // from now on
  std::size_t next_number_ = 0;
  ItemsByWindow under_way_;
  std::vector<ItemId> unread_;    // in no window yet, in the list's order
  std::vector<float> relevance_;  // by item; -inf = not read
  Last last_ = Last::kToCome;
  std::size_t number_of_last_ = 0;
  std::vector<ItemId> ranked_;  // by the last window
  std::size_t verified_ = 0;    // of these
};

}  // namespace rsd
