#include "server/broker.h"

#include <algorithm>
#include <utility>

#include "rsd/core/utf8.h"
#include "server/api/error_reply.h"
#include "server/cache_scope.h"

namespace rsd::server {
namespace {

// nginx's status for a client that has gone; it only gets into the log.
constexpr int kClientClosedRequest = 499;

Error refusal_in_words(const Error& error, const RankOptions& options) {
  const bool is_refused =
      error.code() == ErrorCode::kTooLong && options.long_texts == LongTexts::kRefuse;
  return is_refused ? Error(error.code(), error.message() + "; truncate is false") : error;
}

// An LLM is needed only then. ListRequest looks at all texts later.
bool has_two_texts(const Request& request) {
  std::size_t n_texts = 0;
  return std::ranges::any_of(request.candidates, [&](const Candidate& candidate) {
    if (!single_line(candidate.text).empty()) ++n_texts;
    return n_texts == 2;
  });
}

Failure shutting_down() {
  constexpr long kSeconds = 5;
  return {.status = 503, .message = "the server is shutting down", .retry_after_s = kSeconds};
}

}  // namespace

// A request on its way: refused, settled without the LLM, or in the scheduler.
struct Broker::Order {
  std::shared_ptr<const PreparedRequest> request;
  std::optional<Answer> settled;
  std::optional<Failure> failure;
  Scheduler::JobHandle handle;
};

Broker::Broker(std::unique_ptr<Ranker> ranker, std::unique_ptr<Scheduler> scheduler,
               std::size_t requests_per_key, Metrics& metrics)
    : ranker_(std::move(ranker)),
      scheduler_(std::move(scheduler)),
      keys_(requests_per_key),
      metrics_(metrics) {}

Broker::~Broker() = default;

std::variant<std::vector<RankEnd>, Failure> Broker::rank(std::vector<Request> requests,
                                                         const RankOptions& options,
                                                         const Call& call) {
  if (const auto sensible = check(options); !sensible) return failure_of(sensible.error());
  if (const auto policy = ranker_->policy(options.policy); !policy && uses_policy(options.decoder))
    return failure_of(policy.error());
  const auto n_jobs = static_cast<std::size_t>(std::ranges::count_if(requests, has_two_texts));
  const auto share = share_of(call.key, n_jobs);  // until they have ended
  if (!share) return key_has_enough();
  // A full server has no time to build prompts.
  if (const auto why = scheduler_->refusal_of(n_jobs)) return refused(*why);
  RankOptions scoped = options;
  scoped.cache_scope = cache_scope_of(call.key, options.cache_scope);
  std::vector<Order> orders;
  orders.reserve(requests.size());
  for (Request& request : requests)
    orders.push_back(prepare(std::move(request), scoped, call.arrival));
  std::vector<RankEnd> ends;
  ends.reserve(orders.size());
  if (auto refusal = submit(orders, call.key)) return *std::move(refusal);
  try {
    for (const Order& order : orders) {
      ends.push_back(await(order, call));
      const auto* failure = std::get_if<Failure>(&ends.back());
      if (failure == nullptr || failure->status != kClientClosedRequest) continue;
      cancel(orders);
      return *failure;
    }
  } catch (...) {  // jobs that nobody waits for would keep their places
    cancel(orders);
    throw;
  }
  return ends;
}

Broker::Order Broker::prepare(Request request, const RankOptions& options,
                              Clock::time_point arrival) const {
  Order order;
  auto prepared = ranker_->prepare(std::move(request), options, arrival);
  if (!prepared) {
    order.failure = failure_of(refusal_in_words(prepared.error(), options));
    return order;
  }
  order.request = *std::move(prepared);
  if (!order.request->needs_llm()) order.settled = order.request->answer_without_llm(Clock::now());
  return order;
}

std::optional<Failure> Broker::submit(std::vector<Order>& orders, const std::string& key) {
  const auto waits = [](const Order& order) { return order.request && order.request->needs_llm(); };
  std::vector<JobRequest> jobs;
  jobs.reserve(orders.size());
  for (const Order& order : orders)
    if (waits(order)) jobs.push_back({.request = order.request, .key = key});
  if (jobs.empty()) return std::nullopt;
  auto taken = scheduler_->submit(std::move(jobs));
  if (const auto* why = std::get_if<Refusal>(&taken)) return refused(*why);
  auto next = std::get<std::vector<Scheduler::JobHandle>>(taken).begin();
  for (Order& order : orders)
    if (waits(order)) order.handle = *next++;
  return std::nullopt;
}

void Broker::cancel(const std::vector<Order>& orders) {
  for (const Order& order : orders)
    if (order.handle) scheduler_->cancel(order.handle);
}

RankEnd Broker::await(const Order& order, const Call& call) {
  if (order.failure) return *order.failure;
  Ranked ranked{.prepared = order.request, .answer = {}};
  if (order.settled) {
    ranked.answer = *order.settled;
    metrics_.observe_answer(ranked.answer);
    return ranked;
  }
  JobEnd end = scheduler_->wait(order.handle, call.hung_up);
  if (const auto* error = std::get_if<Error>(&end)) return failure_of(*error);
  if (std::holds_alternative<ShutDown>(end)) return shutting_down();
  if (std::holds_alternative<NoMemory>(end)) return no_memory();
  if (std::holds_alternative<HungUp>(end))
    return Failure{.status = kClientClosedRequest, .message = "the client hung up"};
  auto& job = std::get<JobAnswer>(end);
  ranked.answer = std::move(job.answer);
  ranked.queue_ms = job.queue_ms;
  return ranked;
}

// Calls without a key are nobody's.
std::optional<Quota::Share> Broker::share_of(const std::string& key, std::size_t n_jobs) {
  return key.empty() ? Quota::Share() : keys_.take(key, n_jobs);
}

Failure Broker::key_has_enough() {
  metrics_.count_refused("key");
  return {.status = 429,
          .message = "too many requests of this API key at a time; it may have " +
                     std::to_string(keys_.limit()),
          .retry_after_s = scheduler_->retry_after().count()};
}

Failure Broker::refused(Refusal why) {
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
