// Lists that are longer than one prompt: which windows of a list an LLM ranks, and what order of
// the whole list comes of it.
//
//   method     | windows of W items                               | orders
//   -----------+--------------------------------------------------+----------------------------------
//   sliding    | from the end to the front, a stride apart; what  | the whole list
//              | was ranked highest moves up (RankGPT,            |
//              | arXiv 2304.09542)                                |
//   top-down   | the first W; then all others against one of its  | what the last window ranks; the
//              | items, the pivot; then what beat it              | rest by its place in its window
//              | (arXiv 2405.14589)                               |
//   tournament | groups, whose first go on to the next round      | the first places; the others by
//              |                                                  | the round that they reached
//   calibrated | the first W; then all others beside one of its   | the whole list, by how far the
//              | items, the pivot; one encoding each              | first rows have it above that
//
// A plan does no I/O and knows no LLM: window/list_run.h runs it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/rank/ranking.h"

namespace rsd {

enum class WindowMethod { kSliding, kTopDown, kTournament, kCalibrated };

std::string_view to_string(WindowMethod method) noexcept;
// kInvalidArgument for other names than sliding, top-down, tournament, calibrated.
Result<WindowMethod> parse_window_method(std::string_view name);

struct WindowOptions {
  WindowMethod method = WindowMethod::kSliding;
  std::size_t size = 20;    // W: items of a window, at least 2
  std::size_t stride = 10;  // sliding: how far the next window begins in front, 1 to size - 1
  std::size_t passes = 1;   // sliding: over the whole list, at least 1
  // top-down and calibrated: how many of the first window are to stand above the pivot, 1 to
  // size - 1; nullopt = size / 2, its middle. The fewer, the less beats it.
  std::optional<std::size_t> pivot;
  // top-down: how many are ranked again, at least 2. Of more that beat the pivot the others stay
  // behind; where fewer do, the pivot and what is below it in the first window make up the number,
  // up to a window. nullopt = all that beat it and nothing else, in further rounds where they are
  // more than a window.
  std::optional<std::size_t> pool;
  // sliding: leading positions of the list that are wanted of it, at least 1; nullopt = all. What a
  // window on the way settles of them is wanted of it, too.
  std::optional<std::size_t> top_n;
  // tournament: how many of a group go on, 1 to size / 2. Whoever is among the first n of the list
  // is among the first n of its group, so n loses nobody that an LLM without contradictions wants.
  std::size_t advance = 10;
};

// kInvalidArgument for options out of range.
Result<void> check(const WindowOptions& options);

// What a user may say of it; the rest follows. Where nothing is said and a list has to go in
// windows all the same, ListRequest chooses the method.
struct WindowChoice {
  std::optional<WindowMethod> method;  // sliding
  std::optional<std::size_t> size;     // 20
  std::optional<std::size_t> stride;   // size / 2
  std::optional<std::size_t> passes;   // 1
  std::optional<std::size_t> pivot;    // size / 2
  std::optional<std::size_t> pool;     // all
  std::optional<std::size_t> advance;  // top_n or 10, at most size / 2

  // This one, and where it says nothing, `other`; what belongs to another method than this one
  // names is left out.
  WindowChoice over(const WindowChoice& other) const;
};

// `top_n`: leading positions of the list that are wanted. kInvalidArgument: as check(), or
// something that the method has no use for.
Result<WindowOptions> window_options(const WindowChoice& choice, std::optional<std::size_t> top_n);

// What an LLM is to rank by itself.
struct Window {
  std::size_t number = 0;     // by which its ranking comes back
  std::vector<ItemId> items;  // of the list, in their order so far
  // The plan goes on with this many leading positions of its ranking, and with the items above the
  // `pivot` (an index into `items`), if there is one; the rest matters for the tail only.
  std::size_t wanted = 0;
  bool is_last = false;  // its order is the list's first places
  std::optional<ItemId> pivot;
  bool takes_one_row = false;  // the plan goes on with RankedWindow::first_row and nothing else
};

// What an LLM made of a window.
struct RankedWindow {
  Ranking ranking;           // of its items, by their index in it
  std::size_t verified = 0;  // leading positions that are known to be the LLM's own; 0 = it was not
                             // decoded at all, and tells nothing
  // The logits of its items for the first position; empty where nothing was decoded. Not kept.
  std::span<const float> first_row;
};

// One list's windows. Not thread-safe.
class WindowPlan {
 public:
  // `order`: the list's own, best first. As check() of the options. A list of no more items than a
  // window is one window, whatever the method.
  // `most_windows`: at least 1; where the method needs more, it ranks as many of the first items as
  // it can, and the others keep their order behind them.
  static Result<std::unique_ptr<WindowPlan>> create(
      const Ranking& order, const WindowOptions& options,
      std::optional<std::size_t> most_windows = std::nullopt);
  virtual ~WindowPlan() = default;

  // A window that depends on no ranking that isn't there yet. nullopt: there is none now, or none
  // at all any more.
  virtual std::optional<Window> next() = 0;
  virtual void absorb(std::size_t number, const RankedWindow& window) = 0;

  // Windows that next() will still give, as far as can be foreseen; 0 at the end.
  virtual std::size_t n_to_come() const = 0;
  // No more than `n_windows` from now on, as far as what has begun can be ended so: the plan leaves
  // out what matters least for the first places. A later limit takes the place of an earlier one;
  // with a higher one what was left out comes back where it still can.
  virtual void limit(std::size_t n_windows) = 0;
  // How many windows go into so many rounds, each of at most `at_once` windows side by side.
  virtual std::size_t n_within(std::size_t n_rounds, std::size_t /*at_once*/) const {
    return n_rounds;
  }

  // The best order so far.
  virtual Ranking order() const = 0;
  // Leading positions that are known to be what the LLM would give over the same windows if it
  // wrote each of them out (`ar`): it takes all windows on the way to be verified as far as they
  // matter.
  virtual std::size_t verified() const = 0;
  // Leading positions that are the LLM's own in the window that settled them, whatever became of
  // the windows before.
  virtual std::size_t confirmed() const = 0;
};

}  // namespace rsd
