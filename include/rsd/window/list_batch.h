// Ranks lists of any length on one LLM, several windows at a time.
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
#include "rsd/decode/llm_engine.h"
#include "rsd/decode/places.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/window/list_run.h"

namespace rsd {

// A BatchRun of lists: each step makes one pass of the LLM over the windows in progress, whatever
// lists they belong to. Windows of one list that don't depend on each other are in progress
// together. The list that is due first (Timeliness) gets its windows first; with limit_passes() the
// order is that of decode/turn.h, by the LLM time of all windows of a list. Not thread-safe.
class ListBatch {
 public:
  // `places`: windows at a time, at least 1 for all, and beside them those of short lists
  // (ListOptions::expected_tokens). Windows without room wait until others have ended. The LLM and
  // costs (may be null) must outlive the batch.
  ListBatch(LlmEngine& llm, const Places& places, CostModel* costs = nullptr,
            std::function<Clock::time_point()> now = &Clock::now);
  ~ListBatch();
  ListBatch(const ListBatch&) = delete;
  ListBatch& operator=(const ListBatch&) = delete;

  struct List {
    ListRun run;
    // Builds the prompt of a window with these items, in this order. Its error fails the list.
    std::function<Result<Prompt>(std::span<const ItemId> items)> prompt;
    std::optional<Clock::time_point> arrival;  // nullopt = the time of add()
  };
  // `ticket` is the caller's name for the list.
  void add(std::size_t ticket, List list);
  // Drops a list and frees the places of its windows at once. Returns false if there is no such
  // list (any more).
  bool cancel(std::size_t ticket);

  // Called before a pass, for each list with a deadline that is left out of it, with its answer so
  // far: its deadline may pass while the pass is running.
  using OnLeftOut = std::function<void(std::size_t ticket, const ListOutcome& so_far)>;
  void on_left_out(OnLeftOut callback) { on_left_out_ = std::move(callback); }

  // See BatchRun::limit_passes.
  void limit_passes(std::chrono::milliseconds most);

  std::size_t size() const noexcept { return lists_.size(); }
  // True if a window of one more list of that length could start now.
  bool has_place(Length length = Length::kLong) const;

  // A decoded window.
  struct Decoded {
    std::size_t number = 0;     // the plan's (Window::number)
    std::vector<ItemId> items;  // items of the list
    Decoding decoding;
    Outcome outcome;  // its ranking holds indices into `items`
  };
  struct Finished {
    std::size_t ticket = 0;
    Result<ListOutcome> outcome;           // the error of any window, else ListRun::outcome
    std::vector<Decoded> windows;          // the ranked windows, in the order in which they ended
    std::size_t truncated_candidates = 0;  // texts that were cut, counted in each window
  };
  // Makes one pass, if any window waits for one, and returns the lists that have finished, in the
  // order of adding. If a list fails before the pass, its error is returned at once and no pass is
  // made.
  std::vector<Finished> step();

 private:
  struct Entry;

  std::vector<Entry*> by_turn() const;
  void start_windows();
  bool start_window_of(Entry& entry);
  bool has_place_for_window(Length length, bool is_blocked) const;
  Result<Prompt> built_prompt(List& list, std::span<const ItemId> items) const;
  void doubt(Entry& entry, const Outcome& window);
  void report_left_out();
  void report_left_out(std::size_t window, const Outcome& so_far);
  void take(BatchRun::Finished finished);
  void fail(Entry& entry, const Error& error);
  std::vector<Finished> take_finished();

  LlmEngine& llm_;
  Places places_;
  bool limits_passes_ = false;
  std::function<Clock::time_point()> now_;
  CostModel* costs_;
  std::size_t n_side_by_side_;  // windows that can be encoded concurrently
  BatchRun batch_;
  OnLeftOut on_left_out_;
  std::size_t next_window_ = 0;
  std::vector<std::unique_ptr<Entry>> lists_;
};

}  // namespace rsd
