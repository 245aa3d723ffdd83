#include "rsd/window/list_run.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/core/duration.h"

namespace rsd {
namespace {

constexpr double kMargin = 1.25;  // factor on the prefill for the rest of a window's time

void add_costs(Outcome& sums, const Outcome& window) {
  sums.encodings += window.encodings;
  sums.tokens_encoded += window.tokens_encoded;
  sums.prompt_tokens += window.prompt_tokens;
  sums.tokens_reused += window.tokens_reused;
  if (window.candidates_reused)
    sums.candidates_reused = sums.candidates_reused.value_or(0) + *window.candidates_reused;
  sums.deadline_hit = sums.deadline_hit || window.deadline_hit;
  sums.timing.prefill_ms += window.timing.prefill_ms;
  sums.timing.decode_ms += window.timing.decode_ms;
  sums.timing.agent_ms += window.timing.agent_ms;
  sums.round_ms.insert(sums.round_ms.end(), window.round_ms.begin(), window.round_ms.end());
}

// The time of a window's prefill, or of its first encoding if that carried the prompt; nullopt if
// it was not completed.
std::optional<double> prefill_of(const Outcome& window) {
  if (window.prompt_tokens == 0) return std::nullopt;
  if (window.timing.prefill_ms > 0) return window.timing.prefill_ms;
  return window.round_ms.empty() ? std::nullopt : std::optional(window.round_ms.front());
}

}  // namespace

std::optional<std::size_t> budget_of(const ListOptions& options, std::size_t n_items,
                                     std::size_t n_windows) {
  if (!takes_budget(options.decoding.decoder)) return std::nullopt;
  if (options.budget || !options.decoding.budget) return options.budget;
  if (n_items <= options.windows.size) return options.decoding.budget;
  const std::size_t budget = *options.decoding.budget;
  if (options.windows.method == WindowMethod::kCalibrated) return n_windows;
  if (options.windows.method == WindowMethod::kRelevance && n_windows > 0)
    return n_windows - 1 + budget;
  return n_windows * budget;
}

Result<ListRun> ListRun::create(const Ranking& order, ListOptions options,
                                Clock::time_point start) {
  if (!takes_budget(options.decoding.decoder)) options.budget.reset();
  if (options.budget == 0)
    return Error(ErrorCode::kInvalidArgument, "budget is 0; it must be at least 1");
  DecodingOptions tried = options.decoding;
  if (options.budget) tried.budget = options.budget;
  if (auto sensible = Decoding::create(order.size(), std::move(tried)); !sensible)
    return sensible.error();
  auto plan = WindowPlan::create(order, options.windows, options.budget);
  if (!plan) return plan.error();
  ListRun run(*std::move(plan), std::move(options), start);
  run.n_items_ = order.size();
  run.is_single_ = order.size() <= run.options_.windows.size;
  return run;
}

ListRun::ListRun(std::unique_ptr<WindowPlan> plan, ListOptions options, Clock::time_point start)
    : options_(std::move(options)),
      plan_(std::move(plan)),
      start_(start),
      budget_left_(options_.budget.value_or(0)) {}

// True if there is no time for another window. A single window is never late: its prompt is built
// already, and its decoding keeps the deadline itself.
bool ListRun::is_late(Clock::time_point now) const {
  if (is_single_ || !options_.deadline) return false;
  return had_all_time_ || now >= *options_.deadline;
}

bool ListRun::finished(Clock::time_point now) const {
  if (!under_way_.empty()) return false;
  const bool is_spent = options_.budget && budget_left_ == 0;
  return plan_->n_to_come() == 0 || is_spent || is_late(now);
}

std::vector<ItemId> ListRun::sample() const {
  const Ranking order = plan_->order();
  const std::size_t n = std::min(order.size(), options_.windows.size);
  return {order.items().begin(), order.items().begin() + static_cast<std::ptrdiff_t>(n)};
}

// The number of windows that there is time for. Under time pressure, each window gets fewer
// encodings before windows are dropped; every window needs at least its prompt and prefill.
std::size_t ListRun::n_in_time(Clock::time_point now) const {
  constexpr double kMost = 1e6;
  if (!options_.deadline || window_ms() <= 0) return std::numeric_limits<std::size_t>::max();
  const double left_ms = ms_between(now, *options_.deadline);
  const auto n_within = [&](double ms) {
    return static_cast<std::size_t>(std::clamp(left_ms / ms, 1.0, kMost));
  };
  const std::size_t n_windows = plan_->n_within(n_within(window_ms()), at_once_);
  // Prompts are built one after the other, even if windows are encoded concurrently.
  return prompt_ms_ > 0 ? std::min(n_windows, n_within(prompt_ms_)) : n_windows;
}

// The least time of a window.
double ListRun::window_ms() const {
  return prompt_ms_ + kMargin * prefill_ms_.value_or(0);
}

void ListRun::note_prompt(double ms) {
  prompt_ms_ += (ms - prompt_ms_) / static_cast<double>(++n_prompts_);
}

// Limits the plan to the windows that encodings and time are expected to suffice for.
void ListRun::limit(Clock::time_point now) {
  if (is_single_ || (!options_.budget && !options_.deadline)) return;
  const std::size_t in_time = n_in_time(now);
  const std::size_t before = plan_->n_to_come();
  plan_->limit(options_.budget ? std::min(budget_left_, in_time) : in_time);
  const std::size_t after = plan_->n_to_come();
  if (after < before && in_time < before) leaves_out_ = true;
  if (after > before && in_time > after) leaves_out_ = false;
}

// An even share of the time left, but at least the time for a prefill, and no more than leaves the
// same to another window.
std::optional<Clock::time_point> ListRun::deadline_of_next(Clock::time_point now,
                                                           std::size_t n_left) const {
  if (!options_.deadline || *options_.deadline <= now) return options_.deadline;
  const double left_ms = ms_between(now, *options_.deadline);
  const auto n_with_it = static_cast<double>(under_way_.size() + 1);
  const double share_ms =
      left_ms * n_with_it / static_cast<double>(std::max<std::size_t>(n_left, 1));
  const double least_ms = window_ms();
  const bool is_last = n_left <= under_way_.size() + 1;
  const double most_ms = is_last ? left_ms : std::max(least_ms, left_ms - least_ms);
  const double ms = std::min({left_ms, most_ms, std::max(share_ms, least_ms)});
  return ms < left_ms ? now + duration_of_ms(ms) : *options_.deadline;
}

// A refused or aborted prefill is known to take longer than its deadline allowed: the estimate is
// doubled. If it had all the time left, no further window is tried.
void ListRun::learn(const Share& share, const Outcome& outcome) {
  if (const auto ms = prefill_of(outcome)) {
    const double n = static_cast<double>(n_prefills_++);
    prefill_ms_ = n == 0 ? *ms : (n * *prefill_ms_ + *ms) / (n + 1);
  } else if (outcome.encodings == 0 && outcome.deadline_hit) {
    prefill_ms_ = std::max(prefill_ms_.value_or(0), share.ms) * 2;
    had_all_time_ = had_all_time_ || share.is_all;
  }
}

// What the LLM reads of an item is the same in every window.
void ListRun::add(Outcome& sums, const Share& share, const Outcome& window) const {
  add_costs(sums, window);
  if (window.relevance.empty()) return;
  sums.relevance.resize(n_items_, std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 0; i < share.items.size(); ++i)
    sums.relevance[share.items[i].slot()] = window.relevance[i];
}

// Windows that finish early leave more encodings to later ones.
std::size_t ListRun::budget_of_next() const {
  return std::max<std::size_t>(1, budget_left_ / std::max<std::size_t>(1, plan_->n_to_come()));
}

std::optional<ListRun::WindowJob> ListRun::next(Clock::time_point now) {
  if (is_late(now)) {
    sums_.deadline_hit = sums_.deadline_hit || plan_->n_to_come() > 0;
    return std::nullopt;
  }
  if (options_.budget && budget_left_ == 0) return std::nullopt;
  limit(now);
  const std::size_t budget = options_.budget ? budget_of_next() : 0;
  const std::size_t n_left = plan_->n_to_come() + under_way_.size();
  auto window = plan_->next();
  if (!window) return std::nullopt;
  budget_left_ -= budget;
  WindowJob job{.number = window->number,
                .items = window->items,
                .decoding = decoding_of(*window, budget),
                .deadline = deadline_of_next(now, n_left)};
  under_way_.emplace(window->number,
                     Share{.items = job.items,
                           .budget = budget,
                           .ms = job.deadline ? ms_between(now, *job.deadline) : 0,
                           .is_all = job.deadline && job.deadline == options_.deadline});
  return job;
}

DecodingOptions ListRun::decoding_of(const Window& window, std::size_t budget) const {
  if (window.takes_one_row) return {.decoder = DecoderKind::kStd, .reads_single = true};
  DecodingOptions decoding = options_.decoding;
  if (budget > 0) decoding.budget = budget;
  if (is_single_) return decoding;
  decoding.first_proposal.reset();
  decoding.until_placed = window.pivot;
  if (decoding.top_n && !window.is_last) decoding.top_n = window.wanted;
  if (window.pivot) decoding.top_n.reset();
  return decoding;
}

void ListRun::absorb(std::size_t number, const Outcome& outcome, Clock::time_point now,
                     std::span<const float> first_row) {
  const auto share = under_way_.extract(number);
  RSD_CHECK(!share.empty(), "a window that is under way");
  const std::size_t set_aside = share.mapped().budget;
  budget_left_ += set_aside - std::min(set_aside, outcome.encodings);
  add(sums_, share.mapped(), outcome);
  n_windows_ += outcome.encodings > 0 ? 1 : 0;
  learn(share.mapped(), outcome);
  plan_->absorb(number, {.ranking = outcome.ranking,
                         .verified = outcome.verified_prefix,
                         .first_row = first_row,
                         .relevance = outcome.relevance});
  limit(now);
}

ListOutcome ListRun::outcome(Clock::time_point now) const {
  ListOutcome list{.outcome = sums_,
                   .budget = std::nullopt,
                   .n_windows = n_windows_,
                   .confirmed_prefix = plan_->confirmed()};
  list.outcome.ranking = plan_->order();
  list.budget = budget_of(options_, list.outcome.ranking.size(), n_windows_);
  list.outcome.verified_prefix = plan_->verified();
  list.outcome.timing.total_ms = ms_between(start_, now);
  if (leaves_out_ || (is_late(now) && plan_->n_to_come() > 0)) list.outcome.deadline_hit = true;
  const bool is_whole = list.outcome.verified_prefix == list.outcome.ranking.size();
  if (!is_single_ && is_whole)
    list.outcome.deadline_hit = false;  // windows that were cut short
                                        // were ranked again
  return list;
}

ListOutcome ListRun::so_far(std::size_t number, const Outcome& window,
                            Clock::time_point now) const {
  const auto share = under_way_.find(number);
  RSD_CHECK(share != under_way_.end(), "a window that is under way");
  ListOutcome list = outcome(now);
  add(list.outcome, share->second, window);
  if (!is_single_) return list;
  list.outcome.ranking = window.ranking;
  list.outcome.verified_prefix = list.confirmed_prefix = window.verified_prefix;
  return list;
}

}  // namespace rsd
