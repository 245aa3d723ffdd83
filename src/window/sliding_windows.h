#pragma once

#include <vector>

#include "merged.h"
#include "rsd/window/window_plan.h"

namespace rsd {

// Windows from the end of the list to its front. Each waits for the one behind it, and in a further
// pass for all of the pass before that it shares items with.
class SlidingWindows final : public WindowPlan {
 public:
  // More items than options.size.
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
    std::size_t begun = 0;  // windows that were given, or left out
    std::size_t done = 0;   // windows whose rankings are there, or that were left out
    // The position up to which its latest window and those behind it are the LLM's own.
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
  std::size_t left_out_end_ = 0;  // behind the last window of a pass that was left out
  bool exact_ = true;             // every window that ended has told what others see of it
  std::size_t confirmed_ = 0;     // by the window at the front and those behind it
};

}  // namespace rsd
