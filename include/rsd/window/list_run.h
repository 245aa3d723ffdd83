// One list of any length on its way through an LLM, window by window.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/places.h"
#include "rsd/decode/run.h"
#include "rsd/window/window_plan.h"

namespace rsd {

struct ListOptions {
  WindowOptions windows;
  // How a window is decoded, if not by one row; its budget is that of each window. top_n is of the
  // list: nothing is encoded to verify what is behind it.
  DecodingOptions decoding;
  // LLM encodings for the whole list, shared out over its windows in place of decoding.budget, for
  // the decoders that take one; at least 1. Where it is less than an encoding a window, as many of
  // the first items are ranked as it is enough for.
  std::optional<std::size_t> budget;
  // The answer is due then. Each window gets its share of the time that is left; where there isn't
  // time for a prompt and a prefill each, the plan is limited, until windows turn out to take less.
  // A window that had no time for its prefill may come again, with twice the time, until one had
  // all that was left.
  std::optional<Clock::time_point> deadline;
  // Tokens that are expected to go through the LLM for all of it; 0 = nobody knows.
  std::size_t expected_tokens = 0;
};

// The answer to a list. The outcome's figures are sums over the windows, but for these:
// ranking and verified_prefix are of the list (WindowPlan::verified), total_ms is from the
// beginning to the end, deadline_hit tells that a window was cut short or left out, and that the
// ranking isn't verified to its end.
struct ListOutcome {
  Outcome outcome;
  std::optional<std::size_t> budget;  // budget_of
  std::size_t n_windows = 0;          // that were ranked
  std::size_t confirmed_prefix = 0;   // WindowPlan::confirmed
};

inline Length length_of(const ListOptions& options) noexcept {
  return options.expected_tokens == 0 ? Length::kLong : length_of(options.expected_tokens);
}

// Encodings that a list of `n_items` may take: its own budget, else that of each of the `n_windows`
// that were ranked (one where a window takes one row), or of the only one; nullopt = no limit.
std::optional<std::size_t> budget_of(const ListOptions& options, std::size_t n_items,
                                     std::size_t n_windows);

// Says which windows can be ranked now, takes in what came of them, and keeps the accounts. Makes
// no pass itself and opens nothing: ListBatch does. Not thread-safe.
class ListRun {
 public:
  struct Task {
    std::size_t number = 0;
    std::vector<ItemId> items;  // of the list, in the order in which they are to be shown
    DecodingOptions decoding;
    std::optional<Clock::time_point> deadline;
  };

  // kInvalidArgument: options out of range, as check() and Decoding::create have it.
  static Result<ListRun> create(const Ranking& order, ListOptions options, Clock::time_point start);

  // A window to rank; nullopt: there is none now.
  std::optional<Task> next(Clock::time_point now);
  // What came of the task. Its outcome's ranking is of the task's items, by index; `first_row` as
  // RankedWindow has it.
  void absorb(std::size_t number, const Outcome& outcome, Clock::time_point now,
              std::span<const float> first_row = {});
  // Nothing is under way, and nothing is to come.
  bool finished(Clock::time_point now) const;

  // Does one window hold all of it?
  bool is_single() const noexcept { return is_single_; }
  // Items as many as a window has, for an estimate of what its prompt takes.
  std::vector<ItemId> sample() const;
  // What that is expected to be, before any window has told.
  void expect_prefill(double ms) { prefill_ms_ = ms; }
  // What building the prompt of a window has taken.
  void note_prompt(double ms);
  // So many windows take no longer together than one does.
  void expect_side_by_side(std::size_t n_windows) { at_once_ = n_windows; }

  const std::optional<Clock::time_point>& deadline() const noexcept { return options_.deadline; }
  // kLong where nobody knows.
  Length length() const noexcept { return rsd::length_of(options_); }
  // The LLM's time that its windows have had so far.
  double llm_ms() const noexcept { return sums_.timing.prefill_ms + sums_.timing.decode_ms; }
  ListOutcome outcome(Clock::time_point now) const;
  // The answer so far, with what a window that is under way has told: where it is the only one of
  // the list, its order counts.
  ListOutcome so_far(std::size_t number, const Outcome& window, Clock::time_point now) const;

 private:
  // Of a window that is under way.
  struct Share {
    std::size_t budget = 0;  // encodings that are set aside for it
    double ms = 0;           // until its deadline; 0 = none
    bool is_all = false;     // of the time that the list has left
  };

  ListRun(std::unique_ptr<WindowPlan> plan, ListOptions options, Clock::time_point start);

  void limit(Clock::time_point now);
  std::size_t n_in_time(Clock::time_point now) const;
  double window_ms() const;
  std::size_t budget_of_next() const;
  std::optional<Clock::time_point> deadline_of_next(Clock::time_point now,
                                                    std::size_t n_left) const;
  void learn(const Share& share, const Outcome& outcome);
  DecodingOptions decoding_of(const Window& window, std::size_t budget) const;
  bool is_late(Clock::time_point now) const;

  ListOptions options_;
  std::unique_ptr<WindowPlan> plan_;
  Clock::time_point start_;
  std::map<std::size_t, Share> under_way_;
  std::size_t budget_left_ = 0;  // without what is set aside
  bool is_single_ = false;
  std::size_t at_once_ = 1;
  bool leaves_out_ = false;  // windows, for want of time
  Outcome sums_;
  bool had_all_time_ = false;  // a window that could not even encode its prompt
  std::size_t n_windows_ = 0;  // that were ranked
  std::size_t n_prefills_ = 0;
  std::optional<double> prefill_ms_;  // expected of a window's prompt; nullopt = unknown
  std::size_t n_prompts_ = 0;
  double prompt_ms_ = 0;  // what building one took, on average
};

}  // namespace rsd
