#include "ranker.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/duration.h"
#include "rsd/core/utf8.h"
#include "rsd/rank/presentation.h"
#include "rsd/window/list_request.h"

namespace rsd::server {
namespace {

// No blank candidate has more.
constexpr double kBlankRelevance = 1e-4;

// What nginx calls it when the client is gone; only the log reads it.
constexpr int kClientClosedRequest = 499;

Error refusal_in_words(const Error& error, const ListSettings& settings) {
  const bool is_refused =
      error.code() == ErrorCode::kTooLong && settings.long_texts == LongTexts::kRefuse;
  return is_refused ? Error(error.code(), error.message() + "; truncate is false") : error;
}

Timeliness timeliness(const Call& call, const std::optional<double>& deadline_ms) {
  Timeliness times{.arrival = call.arrival};
  if (deadline_ms) {
    times.deadline = call.arrival + duration_of_ms(*deadline_ms);
  }
  return times;
}

Failure shutting_down() {
  constexpr long kSeconds = 5;
  return {.status = 503, .message = "the server is shutting down", .retry_after_s = kSeconds};
}

// The leading part of the ranking, which is that of the candidates that were ranked, by their index
// among these.
Ranking ranking_of_ranked(const Ranked& ranked) {
  std::vector<ItemId> index_of(ranked.request.candidates.size());
  for (std::size_t i = 0; i < ranked.items.size(); ++i)
    index_of[ranked.items[i].slot()] = ItemId(i);
  std::vector<ItemId> order;
  for (const ItemId item : ranked.outcome.ranking.items().first(ranked.items.size()))
    order.push_back(index_of[item.slot()]);
  return *Ranking::create(std::move(order));
}

// Has an LLM anything to do? All texts are gone through later, once (ListRequest).
bool has_two_texts(const Request& request) {
  std::size_t n_texts = 0;
  return std::ranges::any_of(request.candidates, [&](const Candidate& candidate) {
    if (!single_line(candidate.text).empty()) ++n_texts;
    return n_texts == 2;
  });
}

// Blank candidates are behind all others, by as much as the scores allow.
void add_blank_scores(RelevanceScores& scores, std::size_t n_blank) {
  constexpr double kFarBelow = 30;  // nats
  const double relevance = scores.relevance.back();
  const double raw = scores.raw.back();
  for (std::size_t i = 1; i <= n_blank; ++i) {
    const auto place = static_cast<double>(i);
    const double share = static_cast<double>(n_blank + 1 - i) / static_cast<double>(n_blank + 1);
    scores.relevance.push_back(std::min(relevance, kBlankRelevance) * share);
    scores.raw.push_back(raw - kFarBelow - place);
  }
}

void add_scores(Ranked& ranked) {
  const Ranking& ranking = ranked.outcome.ranking;
  const bool has_row = ranked.decoding && !ranked.decoding->history().rounds().empty();
  if (!has_row) {
    ranked.scores = relevance_scores(ranking, {});
    return;
  }
  ranked.scores = relevance_scores(ranking_of_ranked(ranked),
                                   ranked.decoding->history().rounds().front().logits.row(0));
  add_blank_scores(ranked.scores, ranking.size() - ranked.items.size());
}

}  // namespace

// A request on its way: settled without the LLM, or to be decoded.
struct Ranker::Prepared {
  Ranked ranked;
  std::shared_ptr<const ListRequest> list;
  std::optional<Failure> failure;
  std::optional<JobRequest> job;  // until it is submitted
  bool waits = false;             // for the scheduler
  Scheduler::JobHandle handle;
};

Ranker::Ranker(std::unique_ptr<RankingEngine> engine, std::unique_ptr<Scheduler> scheduler,
               const Rules& rules, Metrics& metrics)
    : engine_(std::move(engine)),
      scheduler_(std::move(scheduler)),
      defaults_(rules.defaults),
      keys_(rules.requests_per_key),
      metrics_(metrics) {}

Ranker::~Ranker() = default;

std::variant<std::vector<RankEnd>, Failure> Ranker::rank(std::vector<Request> requests,
                                                         const RankOptions& options,
                                                         const Call& call) {
  auto settings = list_settings(options, defaults_, *engine_);
  if (!settings) return failure_of(settings.error());
  const auto n_jobs = static_cast<std::size_t>(std::ranges::count_if(requests, has_two_texts));
  const auto share = share_of(call.key, n_jobs);  // until they have ended
  if (!share) return key_has_enough();
  // Prompts take time, which a server that is full doesn't have.
  if (const auto why = scheduler_->refusal_of(n_jobs)) return refused(*why);
  const Timeliness times =
      timeliness(call, options.deadline_ms ? options.deadline_ms : defaults_.deadline_ms);
  settings->deadline = times.deadline;
  std::vector<Prepared> prepared;
  prepared.reserve(requests.size());
  for (Request& request : requests)
    prepared.push_back(prepare(std::move(request), *settings, times));
  std::vector<RankEnd> ends;
  ends.reserve(prepared.size());
  if (auto refusal = submit(prepared, times)) return *std::move(refusal);
  try {
    for (Prepared& one : prepared) {
      ends.push_back(await(one, call));
      const auto* failure = std::get_if<Failure>(&ends.back());
      if (failure == nullptr || failure->status != kClientClosedRequest) continue;
      cancel(prepared);
      return *failure;
    }
  } catch (...) {  // what nobody waits for any more would keep its places
    cancel(prepared);
    throw;
  }
  return ends;
}

Ranker::Prepared Ranker::prepare(Request request, const ListSettings& settings,
                                 const Timeliness& times) const {
  Prepared prepared;
  Ranked& ranked = prepared.ranked;
  const auto now = Clock::now();
  auto made = ListRequest::create(request, settings,
                                  {.builder = engine_->prompts(),
                                   .context_tokens = engine_->context_size(),
                                   .max_items = engine_->max_candidates(request.task)},
                                  now);
  ranked.request = std::move(request);
  ranked.decoder = to_string(settings.decoding.decoder);
  if (!made) {
    prepared.failure = failure_of(refusal_in_words(made.error(), settings));
    return prepared;
  }
  const auto& list = prepared.list = *std::move(made);
  ranked.items = {list->items().begin(), list->items().end()};
  ranked.truncated_candidates = list->truncated_candidates();
  ranked.truncated_query = list->truncated_query();
  if (!list->needs_llm()) {
    take(prepared, list->settled(*times.arrival, now));
  } else {
    prepared.job = JobRequest{.n_items = ranked.items.size(),
                              .list = list->options(),
                              .prompt = [list](auto items) { return list->prompt(items); },
                              .times = {}};
  }
  return prepared;
}

void Ranker::take(Prepared& prepared, ListOutcome outcome) {
  Ranked& ranked = prepared.ranked;
  ranked.budget = outcome.budget;
  if (prepared.list->in_windows()) {
    const WindowOptions& windows = prepared.list->options().windows;
    ranked.windows = {.count = outcome.n_windows,
                      .confirmed_prefix = outcome.confirmed_prefix,
                      .size = windows.size,
                      .method = std::string(to_string(windows.method))};
  }
  ranked.outcome = std::move(outcome.outcome);
}

void Ranker::take(Prepared& prepared, JobAnswer answer) {
  Ranked& ranked = prepared.ranked;
  prepared.list->complete(answer.list);
  ranked.truncated_candidates += answer.truncated_candidates;
  ranked.queue_ms = answer.queue_ms;
  if (!prepared.list->in_windows() && !answer.windows.empty())
    ranked.decoding = std::move(answer.windows.front().decoding);
  take(prepared, std::move(answer.list));
}

std::optional<Failure> Ranker::submit(std::vector<Prepared>& prepared, const Timeliness& times) {
  std::vector<JobRequest> jobs;
  jobs.reserve(prepared.size());
  for (Prepared& one : prepared) {
    if (!one.job) continue;
    one.job->times = times;
    jobs.push_back(*std::exchange(one.job, std::nullopt));
    one.waits = true;
  }
  if (jobs.empty()) return std::nullopt;
  auto taken = scheduler_->submit(std::move(jobs));
  if (const auto* why = std::get_if<Refusal>(&taken)) return refused(*why);
  auto next = std::get<std::vector<Scheduler::JobHandle>>(taken).begin();
  for (Prepared& one : prepared)
    if (one.waits) one.handle = *next++;
  return std::nullopt;
}

void Ranker::cancel(const std::vector<Prepared>& prepared) {
  for (const Prepared& one : prepared)
    if (one.handle) scheduler_->cancel(one.handle);
}

RankEnd Ranker::await(Prepared& prepared, const Call& call) {
  if (prepared.failure) return *std::move(prepared.failure);
  Ranked& ranked = prepared.ranked;
  if (prepared.handle) {
    JobEnd end = scheduler_->wait(prepared.handle, call.hung_up);
    if (const auto* error = std::get_if<Error>(&end)) return failure_of(*error);
    if (std::holds_alternative<ShutDown>(end)) return shutting_down();
    if (std::holds_alternative<NoMemory>(end)) return no_memory();
    if (std::holds_alternative<HungUp>(end))
      return Failure{.status = kClientClosedRequest, .message = "the client hung up"};
    take(prepared, std::get<JobAnswer>(std::move(end)));
  } else {
    metrics_.observe_answer(ranked.outcome);
  }
  add_scores(ranked);
  return std::move(ranked);
}

// Calls without a key are nobody's.
std::optional<Quota::Share> Ranker::share_of(const std::string& key, std::size_t n_jobs) {
  return key.empty() ? Quota::Share() : keys_.take(key, n_jobs);
}

Failure Ranker::key_has_enough() {
  metrics_.count_refused("key");
  return {.status = 429,
          .message = "too many requests of this API key at a time; it may have " +
                     std::to_string(keys_.limit()),
          .retry_after_s = scheduler_->retry_after().count()};
}

Failure Ranker::refused(Refusal why) {
  if (why == Refusal::kDraining) {
    metrics_.count_refused("draining");
    return shutting_down();
  }
  metrics_.count_refused("queue_full");
  return {.status = 429,
          .message = "the queue is full",
          .retry_after_s = scheduler_->retry_after().count()};
}

}  // namespace rsd::server
