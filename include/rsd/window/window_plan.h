// Plans for lists that are longer than one prompt: which windows of a list an LLM ranks, and the
// order of the whole list that results. window_choice.h describes the methods.
//
// A plan does no I/O and does not depend on an LLM: window/list_run.h runs it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/rank/ranking.h"
#include "rsd/window/window_choice.h"

namespace rsd {

struct WindowOptions {
  WindowMethod method = WindowMethod::kSliding;
  std::size_t size = 20;    // W: items of a window, at least 2
  std::size_t stride = 10;  // sliding: distance between the beginnings of successive windows, 1 to
                            // size - 1
  std::size_t passes = 1;   // sliding: passes over the whole list, at least 1
  // top-down and calibrated: the number of items of the first window that rank above the pivot, 1
  // to size - 1; nullopt = size / 2, its middle. With a smaller number, fewer items beat the pivot.
  std::optional<std::size_t> pivot;
  // top-down: the number of items that are ranked again after the comparisons, at least 2. If more
  // items beat the pivot, the surplus keeps its order after them. If fewer do, the pivot and the
  // items below it in the first window are added, up to a window's size. nullopt = exactly the
  // items that beat the pivot, in further rounds if they exceed a window.
  std::optional<std::size_t> pool;
  // sliding: the number of wanted leading positions of the list, at least 1; nullopt = all. Every
  // window that covers some of them must rank these positions, too.
  std::optional<std::size_t> top_n;
  // tournament: the number of items of a group that advance, 1 to size / 2. An item among the first
  // n of the list is among the first n of its group if the LLM's preferences are consistent, so
  // advancing n loses none of the first n.
  std::size_t advance = 10;
};

// kInvalidArgument for options out of range.
Result<void> check(const WindowOptions& options);

// `top_n`: the number of wanted leading positions of the list. kInvalidArgument: see check(), or a
// field that the method does not use.
Result<WindowOptions> window_options(const WindowChoice& choice, std::optional<std::size_t> top_n);

// A part of the list for the LLM to rank on its own.
struct Window {
  std::size_t number = 0;     // identifies the window in absorb()
  std::vector<ItemId> items;  // items of the list, in their current order
  // The plan continues with this many leading positions of the window's ranking, and with the items
  // above the `pivot` (an index into `items`), if there is one; the other positions matter only for
  // the tail.
  std::size_t wanted = 0;
  bool is_last = false;  // its ranking is the beginning of the list's
  std::optional<ItemId> pivot;
  bool takes_one_row = false;  // the plan uses only RankedWindow's first_row and relevance
};

// The LLM's result for a window.
struct RankedWindow {
  Ranking ranking;           // indices into the window's items
  std::size_t verified = 0;  // leading positions known to be the LLM's own; 0 = the window was not
                             // decoded and carries no information
  // The logits of the window's items at the first position; empty if it was not decoded. Not kept.
  std::span<const float> first_row;
  // Prefill::relevance of the window's items; empty if the LLM doesn't read it. Not kept.
  std::span<const float> relevance{};
};

// The windows of one list. Not thread-safe.
class WindowPlan {
 public:
  // `order`: the list's initial order, best first. Errors of check(options). A list that fits one
  // window is one window, whatever the method. `most_windows`: at least 1. If the method needs
  // more, it ranks as many of the first items as it can, and the others keep their order after
  // them.
  static Result<std::unique_ptr<WindowPlan>> create(
      const Ranking& order, const WindowOptions& options,
      std::optional<std::size_t> most_windows = std::nullopt);
  virtual ~WindowPlan() = default;

  // The next window whose items don't depend on a ranking that is still missing. nullopt if there
  // is none now, or none any more.
  virtual std::optional<Window> next() = 0;
  virtual void absorb(std::size_t number, const RankedWindow& window) = 0;

  // The expected number of windows that next() will still return; 0 at the end.
  virtual std::size_t n_to_come() const = 0;
  // Limits the plan to `n_windows` from now on, as far as stages that have begun allow: it leaves
  // out the windows that matter least for the first positions. A new limit replaces an earlier one;
  // a higher one brings windows back as far as possible.
  virtual void limit(std::size_t n_windows) = 0;
  // The number of windows that fit into `n_rounds` rounds of at most `at_once` concurrent windows
  // each.
  virtual std::size_t n_within(std::size_t n_rounds, std::size_t /*at_once*/) const {
    return n_rounds;
  }

  // The best order of the whole list so far.
  virtual Ranking order() const = 0;
  // The number of leading positions known to equal the result of decoding the same windows with
  // `ar`. This requires that all earlier windows are verified as far as their rankings were used.
  virtual std::size_t verified() const = 0;
  // The number of leading positions that are the LLM's own in the window that determined them,
  // whether or not earlier windows were verified.
  virtual std::size_t confirmed() const = 0;
};

}  // namespace rsd
