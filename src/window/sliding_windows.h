#pragma once

#include <vector>

#include "merged.h"
#include "rsd/window/window_plan.h"

namespace rsd {

// Windows from the end of the list to its front. Each waits for the one after it in the list, and
// in a further pass for all windows of the previous pass that it shares items with.
class SlidingWindows final : public WindowPlan {
 public:
  // `order` has more items than options.size.
  SlidingWindows(const Ranking& order, const WindowOptions& options);

  std::optional<Window> next() override;
  void absorb(std::size_t number, const RankedWindow& window) override;
  std::size_t n_to_come() const override;
  void limit(std::size_t n_windows) override;
  Ranking order() const override;
  std::size_t verified() const override;
  std::size_t confirmed() const override;

 private:
  struct Pass {
    std::size_t begun = 0;  // windows returned by next(), or left out
    std::size_t done = 0;   // windows that were ranked, or left out
    // The position up to which the pass's latest window and the ones after it in the list are the
    // LLM's own.
    std::size_t confirmed_end = 0;
  };
  struct Span {
    std::size_t begin;
    std::size_t end;
  };

  std::size_t n_per_pass() const;
  Span span_of(std::size_t in_pass) const;
  bool is_ready(std::size_t pass) const;
  std::size_t seen_of(std::size_t number) const;
  std::size_t wanted_of(std::size_t number) const;
  void begin_further_back(std::size_t n_windows);

  WindowOptions options_;
  std::vector<ItemId> order_;
  ItemsByWindow under_way_;
  std::vector<Pass> passes_;
  std::size_t left_out_end_ = 0;  // after the last window of a pass that was left out
  bool exact_ = true;             // every ended window is verified as far as other windows see it
  std::size_t confirmed_ = 0;     // by the front window and the ones after it
};

}  // namespace rsd
