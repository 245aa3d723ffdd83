// Ranks one list of any length, window by window.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/decode/run.h"
#include "rsd/window/window_plan.h"

namespace rsd {

struct ListOptions {
  WindowOptions windows;
  // How windows are decoded, unless the method takes one row of each. The budget is per window.
  // top_n counts positions of the list: no encoding is spent on verifying the positions after them.
  DecodingOptions decoding;
  // LLM encodings for the whole list, distributed over its windows; replaces decoding.budget for
  // the decoders that take a budget; at least 1. If there are more windows than encodings, only as
  // many of the first items are ranked as the encodings suffice for.
  std::optional<std::size_t> budget;
  // The time when the answer is due. Each window gets a share of the time left. If there isn't time
  // for a prompt and a prefill per window, the plan is limited, until windows turn out to take
  // less. A window without time for its prefill may be tried again with twice the time, until one
  // had all the time left.
  std::optional<Clock::time_point> deadline;
  // Tokens that are expected to go through the LLM for all of it; 0 = nobody knows.
  std::size_t expected_tokens = 0;
};

// The answer to a list. The outcome's figures are sums over the windows, with these exceptions:
// ranking and verified_prefix are the list's (WindowPlan::verified), total_ms is the time from
// start to end, and deadline_hit is true if a window was cut short or left out for want of time and
// the ranking is not fully verified.
struct ListOutcome {
  Outcome outcome;
  std::optional<std::size_t> budget;  // budget_of
  std::size_t n_windows = 0;          // ranked windows
  std::size_t confirmed_prefix = 0;   // WindowPlan::confirmed
};

inline Length length_of(const ListOptions& options) noexcept {
  return options.expected_tokens == 0 ? Length::kLong : length_of(options.expected_tokens);
}

// The encodings that a list of `n_items` may take: its own budget, else the sum of the budgets of
// the `n_windows` ranked windows (one each if the method takes one row per window, or of all but
// the last); nullopt = no limit.
std::optional<std::size_t> budget_of(const ListOptions& options, std::size_t n_items,
                                     std::size_t n_windows);

// Returns the windows that can be ranked now, takes in their outcomes, and keeps the accounts. It
// makes no passes and opens no scorers: ListBatch does. Not thread-safe.
class ListRun {
 public:
  // A window to decode, with the options and the deadline of its decoding.
  struct WindowJob {
    std::size_t number = 0;
    std::vector<ItemId> items;  // items of the list, in the order in which the prompt shows them
    DecodingOptions decoding;
    std::optional<Clock::time_point> deadline;
  };

  // kInvalidArgument: options out of range, see check() and Decoding::create.
  static Result<ListRun> create(const Ranking& order, ListOptions options, Clock::time_point start);

  // The next window to rank; nullopt if there is none now.
  std::optional<WindowJob> next(Clock::time_point now);
  // Takes in the outcome of a window. Its ranking holds indices into the window's items; for
  // `first_row` see RankedWindow.
  void absorb(std::size_t number, const Outcome& outcome, Clock::time_point now,
              std::span<const float> first_row = {});
  // True if no window is in progress and none is left to rank.
  bool finished(Clock::time_point now) const;

  // True if one window holds the whole list.
  bool is_single() const noexcept { return is_single_; }
  // The first items of the list, as many as fill a window: for an estimate of the cost of its
  // prompt.
  std::vector<ItemId> sample() const;
  // Sets the expected cost of a window's prefill, used until a window was ranked.
  void expect_prefill(double ms) { prefill_ms_ = ms; }
  // Records the time that building a window's prompt took.
  void note_prompt(double ms);
  // Sets the number of windows that together take no longer than one.
  void expect_side_by_side(std::size_t n_windows) { at_once_ = n_windows; }

  const std::optional<Clock::time_point>& deadline() const noexcept { return options_.deadline; }
  // kLong where nobody knows.
  Length length() const noexcept { return rsd::length_of(options_); }
  // The LLM's time that its windows have had so far.
  double llm_ms() const noexcept { return sums_.timing.prefill_ms + sums_.timing.decode_ms; }
  ListOutcome outcome(Clock::time_point now) const;
  // The answer so far, including the outcome so far of the window in progress. Its order counts
  // only if it is the only window of the list.
  ListOutcome so_far(std::size_t number, const Outcome& window, Clock::time_point now) const;

 private:
  // What a window in progress may use.
  struct Share {
    std::vector<ItemId> items;  // of the list
    std::size_t budget = 0;     // encodings reserved for the window
    double ms = 0;              // time until its deadline; 0 = no deadline
    bool is_all = false;        // the window has all the time left to the list
  };

  ListRun(std::unique_ptr<WindowPlan> plan, ListOptions options, Clock::time_point start);

  void limit(Clock::time_point now);
  std::size_t n_in_time(Clock::time_point now) const;
  double window_ms() const;
  std::size_t budget_of_next() const;
  std::optional<Clock::time_point> deadline_of_next(Clock::time_point now,
                                                    std::size_t n_left) const;
  void learn(const Share& share, const Outcome& outcome);
  void add(Outcome& sums, const Share& share, const Outcome& window) const;
  DecodingOptions decoding_of(const Window& window, std::size_t budget) const;
  bool is_late(Clock::time_point now) const;

  ListOptions options_;
  std::unique_ptr<WindowPlan> plan_;
  Clock::time_point start_;
  std::map<std::size_t, Share> under_way_;
  std::size_t budget_left_ = 0;  // without reserved encodings
  std::size_t n_items_ = 0;
  bool is_single_ = false;
  std::size_t at_once_ = 1;
  bool leaves_out_ = false;  // the plan was limited for want of time
  Outcome sums_;
  bool had_all_time_ = false;  // a window with all the time left could not encode its prompt
  std::size_t n_windows_ = 0;  // ranked windows
  std::size_t n_prefills_ = 0;
  std::optional<double> prefill_ms_;  // expected for a window's prompt; nullopt = unknown
  std::size_t n_prompts_ = 0;
  double prompt_ms_ = 0;  // mean time to build a prompt
};

}  // namespace rsd
