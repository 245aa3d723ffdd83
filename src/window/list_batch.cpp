#include "rsd/window/list_batch.h"

#include <algorithm>
#include <map>
#include <utility>

#include "decode/sorted_by_turn.h"
#include "rsd/core/check.h"

namespace rsd {

struct ListBatch::Entry {
  std::size_t ticket;
  List list;
  Clock::time_point due;
  Clock::time_point served_at;  // the time when its last window began or ended, else of its arrival
  struct UnderWay {
    std::size_t number;  // the plan's
    std::vector<ItemId> items;
    std::size_t truncated_candidates;
  };
  std::map<std::size_t, UnderWay> windows;  // by ticket in the BatchRun
  // A window that waits for room.
  std::optional<ListRun::WindowJob> job;
  std::optional<Prompt> prompt;
  std::optional<Error> failure;
  bool has_doubted = false;
  std::vector<Decoded> decoded;
  std::size_t truncated_candidates = 0;

  bool ended(Clock::time_point now) const {
    if (failure) return true;
    return windows.empty() && !job && list.run.finished(now);
  }
  Turn turn(Clock::time_point now) const {
    return {
        .waits = now < served_at + kPatience, .level = turn_level(list.run.llm_ms()), .due = due};
  }
};

ListBatch::ListBatch(LlmEngine& llm, const Places& places, CostModel* costs,
                     std::function<Clock::time_point()> now)
    : llm_(llm),
      places_(places),
      now_(std::move(now)),
      costs_(costs),
      n_side_by_side_(llm.queue() ? places.for_all : 1),
      batch_(llm, costs, now_) {
  RSD_CHECK(places.for_all > 0, "windows at a time");
  batch_.on_left_out(
      [this](std::size_t window, const Outcome& so_far) { report_left_out(window, so_far); });
}

ListBatch::~ListBatch() = default;

void ListBatch::add(std::size_t ticket, List list) {
  if (costs_ && list.run.deadline() && !list.run.is_single()) {
    // If the prompt can't be built, the error is reported when the window starts.
    const auto prompt = built_prompt(list, list.run.sample());
    const auto ms = prompt ? costs_->prefill_ms(prompt->tokens.size()) : std::nullopt;
    if (ms) list.run.expect_prefill(*ms);
  }
  list.run.expect_side_by_side(n_side_by_side_);
  const Timeliness times{.deadline = list.run.deadline(), .arrival = list.arrival};
  const auto now = now_();
  lists_.push_back(std::make_unique<Entry>(Entry{.ticket = ticket,
                                                 .list = std::move(list),
                                                 .due = times.due(now),
                                                 .served_at = times.arrival.value_or(now)}));
}

void ListBatch::limit_passes(std::chrono::milliseconds most) {
  limits_passes_ = true;
  batch_.limit_passes(most);
}

// Builds a prompt; the time counts against the list.
Result<Prompt> ListBatch::built_prompt(List& list, std::span<const ItemId> items) const {
  const auto start = now_();
  auto prompt = list.prompt(items);
  list.run.note_prompt(ms_between(start, now_()));
  return prompt;
}

bool ListBatch::cancel(std::size_t ticket) {
  const auto found = std::ranges::find(lists_, ticket, &Entry::ticket);
  if (found == lists_.end()) return false;
  for (const auto& [window, under_way] : (*found)->windows)
    batch_.cancel(window);
  lists_.erase(found);
  return true;
}

bool ListBatch::has_place(Length length) const {
  std::size_t n_taken = 0;
  std::size_t n_short = 0;
  for (const auto& entry : lists_) {
    const std::size_t n = std::max<std::size_t>(entry->windows.size(), 1);
    n_taken += n;
    n_short += entry->list.run.length() == Length::kShort ? n : 0;
  }
  return places_.has_one(n_taken, n_short, length);
}

// While a window of another list waits for room (`is_blocked`), only short lists may start windows,
// in the reserved places.
bool ListBatch::has_place_for_window(Length length, bool is_blocked) const {
  std::size_t n_short = 0;
  for (const auto& entry : lists_)
    n_short += entry->list.run.length() == Length::kShort ? entry->windows.size() : 0;
  if (is_blocked && (length == Length::kLong || n_short >= places_.for_short)) return false;
  return places_.has_one(batch_.size(), n_short, length);
}

std::vector<ListBatch::Finished> ListBatch::step() {
  start_windows();
  const bool any_failed =
      std::ranges::any_of(lists_, [](const auto& entry) { return entry->failure.has_value(); });
  if (batch_.size() > 0 && !any_failed) {
    report_left_out();
    for (auto& finished : batch_.step())
      take(std::move(finished));
  }
  return take_finished();
}

std::vector<ListBatch::Entry*> ListBatch::by_turn() const {
  const auto now = now_();
  std::vector<std::pair<Turn, Entry*>> turns;
  turns.reserve(lists_.size());
  for (const auto& entry : lists_)
    turns.emplace_back(limits_passes_ ? entry->turn(now) : Turn{.due = entry->due}, entry.get());
  return sorted_by_turn(std::move(turns));
}

// No list overtakes one whose window has no room, which would wait for ever. Only short lists do,
// in places that it could not take.
void ListBatch::start_windows() {
  bool is_blocked = false;
  for (Entry* entry : by_turn()) {
    const Length length = entry->list.run.length();
    while (has_place_for_window(length, is_blocked) && start_window_of(*entry)) {
    }
    is_blocked = is_blocked || entry->job.has_value();
  }
}

// Returns false if the list has no window that could start now.
bool ListBatch::start_window_of(Entry& entry) {
  if (entry.failure) return false;
  if (!entry.job) {
    entry.job = entry.list.run.next(now_());
    if (!entry.job) return false;
    auto prompt = built_prompt(entry.list, entry.job->items);
    if (!prompt) {
      fail(entry, prompt.error());
      return false;
    }
    entry.prompt = *std::move(prompt);
  }
  if (batch_.size() > 0 && !llm_.has_room(*entry.prompt)) return false;
  ListRun::WindowJob job = *std::exchange(entry.job, std::nullopt);
  const std::size_t truncated_candidates = entry.prompt->truncated_candidates;
  auto decoding = Decoding::create(job.items.size(), std::move(job.decoding));
  auto scorer = decoding ? llm_.open(*std::exchange(entry.prompt, std::nullopt))
                         : Result<std::unique_ptr<PositionScorer>>(decoding.error());
  if (!scorer) {
    fail(entry, scorer.error());
    return false;
  }
  batch_.add(next_window_, *std::move(decoding), *std::move(scorer),
             {.deadline = job.deadline,
              .arrival = entry.list.arrival,
              .llm_ms = entry.list.run.llm_ms(),
              .waits_since = entry.served_at});
  entry.served_at = now_();
  entry.windows.emplace(next_window_++,
                        Entry::UnderWay{.number = job.number,
                                        .items = std::move(job.items),
                                        .truncated_candidates = truncated_candidates});
  return true;
}

void ListBatch::report_left_out(std::size_t window, const Outcome& so_far) {
  if (!on_left_out_) return;
  for (const auto& entry : lists_) {
    const auto found = entry->windows.find(window);
    if (found == entry->windows.end()) continue;
    on_left_out_(entry->ticket, entry->list.run.so_far(found->second.number, so_far, now_()));
  }
}

// Reports the lists that have no window in progress; BatchRun reports the others.
void ListBatch::report_left_out() {
  if (!on_left_out_) return;
  for (const auto& entry : lists_) {
    if (entry->windows.empty() && entry->list.run.deadline())
      on_left_out_(entry->ticket, entry->list.run.outcome(now_()));
  }
}

void ListBatch::take(BatchRun::Finished finished) {
  const auto found = std::ranges::find_if(
      lists_, [&](const auto& entry) { return entry->windows.contains(finished.ticket); });
  if (found == lists_.end()) return;  // its list failed meanwhile
  Entry& entry = **found;
  Entry::UnderWay window = std::move(entry.windows.extract(finished.ticket).mapped());
  entry.served_at = now_();
  if (!finished.outcome) return fail(entry, finished.outcome.error());
  doubt(entry, *finished.outcome);
  const auto& rounds = finished.decoding.history().rounds();
  entry.list.run.absorb(window.number, *finished.outcome, now_(),
                        rounds.empty() ? std::span<const float>{} : rounds.front().logits.row(0));
  // A window without rounds was not decoded, except a single one that needed no encoding.
  if (rounds.empty() && !entry.list.run.is_single()) return;
  entry.truncated_candidates += window.truncated_candidates;
  entry.decoded.push_back({.number = window.number,
                           .items = std::move(window.items),
                           .decoding = std::move(finished.decoding),
                           .outcome = *std::move(finished.outcome)});
}

// A list counts as one refusal, however many of its windows were refused.
void ListBatch::doubt(Entry& entry, const Outcome& window) {
  if (!costs_ || !window.refused || std::exchange(entry.has_doubted, true)) return;
  costs_->doubt(*window.refused);
}

void ListBatch::fail(Entry& entry, const Error& error) {
  entry.failure = error;
  entry.job.reset();
  for (const auto& [window, under_way] : entry.windows)
    batch_.cancel(window);
  entry.windows.clear();
}

std::vector<ListBatch::Finished> ListBatch::take_finished() {
  std::vector<Finished> finished;
  const auto now = now_();
  for (auto& entry : lists_) {
    if (!entry->ended(now)) continue;
    finished.push_back({.ticket = entry->ticket,
                        .outcome = entry->failure
                                       ? Result<ListOutcome>(*entry->failure)
                                       : Result<ListOutcome>(entry->list.run.outcome(now)),
                        .windows = std::move(entry->decoded),
                        .truncated_candidates = entry->truncated_candidates});
    entry.reset();
  }
  std::erase(lists_, nullptr);
  return finished;
}

}  // namespace rsd
