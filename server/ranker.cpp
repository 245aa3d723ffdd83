#include "ranker.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/duration.h"
#include "rsd/rank/presentation.h"

namespace rsd::server {
namespace {

// What nginx calls it when the client is gone; only the log reads it.
constexpr int kClientClosedRequest = 499;

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

void take(Ranked& ranked, JobAnswer answer) {
  if (ranked.windows) {
    *ranked.windows = {.count = answer.list.n_windows,
                       .confirmed_prefix = answer.list.confirmed_prefix};
  } else if (!answer.windows.empty()) {
    ranked.decoding = std::move(answer.windows.front().decoding);
  }
  ranked.outcome = std::move(answer.list.outcome);
  ranked.budget = answer.list.budget;
  ranked.truncated_candidates = answer.truncated_candidates;
  ranked.queue_ms = answer.queue_ms;
}

void add_scores(Ranked& ranked) {
  std::span<const float> first_row;
  if (ranked.decoding && !ranked.decoding->history().rounds().empty())
    first_row = ranked.decoding->history().rounds().front().logits.row(0);
  ranked.scores = relevance_scores(ranked.outcome.ranking, first_row);
}

}  // namespace

// A request on its way: settled without the LLM, or to be decoded.
struct Ranker::Prepared {
  Ranked ranked;
  std::optional<Failure> failure;
  std::optional<JobRequest> job;  // until it is submitted
  bool waits = false;             // for the scheduler
  Scheduler::JobHandle handle;
};

Ranker::Ranker(std::unique_ptr<RankingEngine> engine, std::unique_ptr<Scheduler> scheduler,
               const RankDefaults& defaults, Metrics& metrics)
    : engine_(std::move(engine)),
      scheduler_(std::move(scheduler)),
      defaults_(defaults),
      metrics_(metrics) {}

Ranker::~Ranker() = default;

std::variant<std::vector<RankEnd>, Failure> Ranker::rank(std::vector<Request> requests,
                                                         const RankOptions& options,
                                                         const Call& call) {
  const auto plan = rank_plan(options, defaults_, *engine_);
  if (!plan) return failure_of(plan.error());
  const auto n_jobs = static_cast<std::size_t>(std::ranges::count_if(
      requests, [](const Request& request) { return request.candidates.size() > 1; }));
  // Prompts take time, which a server that is full doesn't have.
  if (const auto why = scheduler_->refusal_of(n_jobs)) return refused(*why);
  const Timeliness times =
      timeliness(call, options.deadline_ms ? options.deadline_ms : defaults_.deadline_ms);
  std::vector<Prepared> prepared;
  prepared.reserve(requests.size());
  for (Request& request : requests)
    prepared.push_back(prepare(std::move(request), options, *plan, times));
  if (auto refusal = submit(prepared, times)) return *std::move(refusal);
  std::vector<RankEnd> ends;
  ends.reserve(prepared.size());
  for (Prepared& one : prepared) {
    ends.push_back(await(one, call));
    const auto* failure = std::get_if<Failure>(&ends.back());
    if (failure == nullptr || failure->status != kClientClosedRequest) continue;
    for (const Prepared& other : prepared)
      if (other.handle) scheduler_->cancel(other.handle);
    return *failure;
  }
  return ends;
}

Result<Prompt> Ranker::prompt_of(const Request& request, const RankOptions& options) const {
  auto prompt = engine_->prompt(request, options.max_text_tokens);
  if (!prompt || !options.refuse_cut || prompt->truncated_candidates == 0) return prompt;
  return Error(ErrorCode::kTooLong, std::to_string(prompt->truncated_candidates) +
                                        " texts had to be cut to fit the context of " +
                                        std::to_string(engine_->context_size()) +
                                        " tokens; truncate is false");
}

Ranker::Prepared Ranker::prepare(Request request, const RankOptions& options, const RankPlan& plan,
                                 const Timeliness& times) const {
  const std::size_t n_items = request.candidates.size();
  Prepared prepared;
  Ranked& ranked = prepared.ranked;
  ranked.request = std::move(request);
  ranked.decoder = to_string(plan.list.decoding.decoder);
  ranked.budget = plan.list.decoding.budget;
  if (n_items == 1) {
    ranked.outcome.ranking = Ranking::identity(1);
    ranked.outcome.verified_prefix = 1;
    return prepared;
  }
  if (const auto now = Clock::now(); times.deadline && now >= *times.deadline) {
    ranked.outcome.ranking = Ranking::identity(n_items);
    ranked.outcome.deadline_hit = true;
    ranked.outcome.timing.total_ms = ms_between(*times.arrival, now);
    return prepared;
  }
  const bool is_long = n_items > plan.list.windows.size;
  auto whole = is_long && plan.always_windows
                   ? Result<std::optional<Prompt>>(std::optional<Prompt>())
                   : whole_prompt(is_long, prompt_of(ranked.request, options),
                                  engine_->max_candidates(ranked.request.task));
  if (!whole) {
    prepared.failure = failure_of(whole.error());
    return prepared;
  }
  prepared.job = JobRequest{.n_items = n_items, .list = plan.list, .prompt = {}, .times = {}};
  if (whole->has_value()) {
    prepared.job->list.windows.size = std::max(plan.list.windows.size, n_items);
    prepared.job->prompt = [prompt = **std::move(whole)](std::span<const ItemId>) mutable {
      return Result<Prompt>(std::move(prompt));
    };
  } else {
    ranked.windows = Answer::Windows();
    // The engine's thread asks for prompts that depend on others' rankings.
    prepared.job->prompt = [this, list = ranked.request, options](std::span<const ItemId> items) {
      return prompt_of(presented(list, items), options);
    };
  }
  return prepared;
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

RankEnd Ranker::await(Prepared& prepared, const Call& call) {
  if (prepared.failure) return *std::move(prepared.failure);
  Ranked& ranked = prepared.ranked;
  if (prepared.handle) {
    JobEnd end = scheduler_->wait(prepared.handle, call.hung_up);
    if (const auto* error = std::get_if<Error>(&end)) return failure_of(*error);
    if (std::holds_alternative<ShutDown>(end)) return shutting_down();
    if (std::holds_alternative<HungUp>(end))
      return Failure{.status = kClientClosedRequest, .message = "the client hung up"};
    take(ranked, std::get<JobAnswer>(std::move(end)));
  } else {
    metrics_.observe_answer(ranked.outcome);
  }
  add_scores(ranked);
  return std::move(ranked);
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
