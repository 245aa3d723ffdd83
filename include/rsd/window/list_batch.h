// Lists of any length on one LLM, several windows at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/batch_run.h"
#include "rsd/decode/places.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/window/list_run.h"

namespace rsd {

// Who opens the LLM's scorers.
struct ScorerOpener {
  std::function<bool(const Prompt&)> has_room;  // beside those that are open
  std::function<Result<std::unique_ptr<PositionScorer>>(Prompt)> open;
  std::size_t parallel = 1;  // windows at a time, at least 1
  std::size_t reserved = 0;  // beside them, those of short lists (ListOptions::expected_tokens)
};

// A BatchRun of lists: in each step, one pass of the LLM over the windows under way, of whatever
// list. Windows of one list that don't depend on each other are under way together. Who is due
// first (Timeliness) gets its windows first; with limit_passes() it is whose turn it is
// (decode/turn.h), by what all windows of a list have taken. Not thread-safe.
class ListBatch {
 public:
  // What there is no room for waits until others have ended. LLM, what the opener refers to, and
  // costs (may be null) outlive it.
  ListBatch(BatchScorer& llm, ScorerOpener opener, CostModel* costs = nullptr,
            std::function<Clock::time_point()> now = &Clock::now);
  ~ListBatch();
  ListBatch(const ListBatch&) = delete;
  ListBatch& operator=(const ListBatch&) = delete;

  struct List {
    ListRun run;
    // The prompt of a window: these items, in this order. Its error is that of the list.
    std::function<Result<Prompt>(std::span<const ItemId> items)> prompt;
    std::optional<Clock::time_point> arrival;  // nullopt = now
  };
  // `ticket` is the caller's name for it.
  void add(std::size_t ticket, List list);
  // Drops a list; the places of its windows are free at once. False when it isn't there (any more).
  bool cancel(std::size_t ticket);

  // Called before a pass, for each list with a deadline that is not in it: what its answer is so
  // far. Its deadline may come while the pass is running.
  using OnLeftOut = std::function<void(std::size_t ticket, const ListOutcome& so_far)>;
  void on_left_out(OnLeftOut callback) { on_left_out_ = std::move(callback); }

  // As BatchRun::limit_passes.
  void limit_passes(std::chrono::milliseconds most);

  std::size_t size() const noexcept { return lists_.size(); }
  // Could one more window be under way, if there were another list of that length?
  bool has_place(Length length = Length::kLong) const;

  // A window that was decoded.
  struct Decoded {
    std::size_t number = 0;     // the plan's (Window::number)
    std::vector<ItemId> items;  // of the list
    Decoding decoding;
    Outcome outcome;  // its ranking is of `items`, by index
  };
  struct Finished {
    std::size_t ticket = 0;
    Result<ListOutcome> outcome;           // an error of any window, else as of ListRun
    std::vector<Decoded> windows;          // that were ranked, in the order of their ends
    std::size_t truncated_candidates = 0;  // texts that were cut, counted in each window
  };
  // Makes one pass, if any window waits for one, and gives the lists that came to their end, in the
  // order of adding. Those that fail in front of a pass are given at once, and none is made.
  std::vector<Finished> step();

 private:
  struct Entry;

  std::vector<Entry*> by_turn() const;
  void start_windows();
  bool start_window_of(Entry& entry);
  bool has_place_for_window(Length length, bool is_blocked) const;
  Result<Prompt> built_prompt(List& list, std::span<const ItemId> items) const;
  void doubt(Entry& entry, const Outcome& window);
  void tell_left_out();
  void tell_left_out(std::size_t window, const Outcome& so_far);
  void take(BatchRun::Finished finished);
  void fail(Entry& entry, const Error& error);
  std::vector<Finished> take_finished();

  ScorerOpener opener_;
  Places places_;
  bool limits_passes_ = false;
  std::function<Clock::time_point()> now_;
  CostModel* costs_;
  std::size_t n_side_by_side_;  // windows that don't slow each other down
  BatchRun batch_;
  OnLeftOut on_left_out_;
  std::size_t next_window_ = 0;
  std::vector<std::unique_ptr<Entry>> lists_;
};

}  // namespace rsd
