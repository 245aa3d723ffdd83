#include "remote/dispatcher.h"

#include <algorithm>
#include <random>
#include <utility>

#include "remote/http_answer.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr std::chrono::milliseconds kCheckTimeout{5000};

}  // namespace

struct Dispatcher::Job {
  RowQuestion question;
  std::optional<std::size_t> preferred;
  Clock::time_point start;
  CacheUse cache = CacheUse::kRead;
  Clock::time_point not_before;
  std::vector<bool> tried;           // by replica: tried since the job last began anew
  std::vector<bool> excluded;        // by replica: never to be tried again
  std::vector<std::string> reasons;  // by replica: its last failure
  std::size_t n_beginnings = 0;      // rounds over all replicas that failed
  std::size_t n_timeouts = 0;
  std::optional<std::size_t> replica;  // the replica that has the question now
  HttpClient::Ticket ticket = 0;
  bool on_trial = false;  // the outcome closes or opens the replica's circuit

  bool may_go_to(std::size_t n) const { return !tried[n] && !excluded[n]; }
};

Dispatcher::Dispatcher(const RemoteOptions& options, std::unique_ptr<HttpClient> http,
                       std::shared_ptr<const Protocol> protocol, std::string model)
    : patience_(options.patience),
      log_(options.log),
      http_(std::move(http)),
      protocol_(std::move(protocol)),
      model_(std::move(model)),
      replicas_(options.urls, {.failures_to_open = options.patience.failures_to_open,
                               .open_time = options.patience.open_time,
                               .max_open_time = options.patience.max_open_time}),
      backoff_(options.patience.backoff, options.patience.max_backoff, std::random_device{}()) {}

Dispatcher::~Dispatcher() = default;

Dispatcher::Id Dispatcher::ask(const RowQuestion& question, std::optional<std::size_t> preferred) {
  auto job = std::make_unique<Job>();
  job->question = question;
  job->preferred = preferred;
  job->start = Clock::now();
  job->tried.assign(replicas_.size(), false);
  job->excluded.assign(replicas_.size(), false);
  job->reasons.resize(replicas_.size());
  jobs_.emplace(next_id_, std::move(job));
  return next_id_++;
}

void Dispatcher::cancel(Id id) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  if (found->second->replica) withdraw(*found->second);
  jobs_.erase(found);
}

// Afterwards no replica has the question.
void Dispatcher::withdraw(Job& job) {
  http_->cancel(job.ticket);
  under_way_.erase(job.ticket);
  Replica& replica = replicas_[*std::exchange(job.replica, std::nullopt)];
  --replica.n_under_way;
  replica.breaker.note_cancelled(std::exchange(job.on_trial, false));
}

std::vector<Dispatcher::Answered> Dispatcher::wait(Clock::time_point until) {
  while (true) {
    const auto now = Clock::now();
    start_checks(now);
    start_what_is_due(now);
    if (!answered_.empty() || now >= until || jobs_.empty()) return std::exchange(answered_, {});
    for (const auto& ended : http_->wait(next_start(until)))
      take(ended);
  }
}

// The earliest time at which a waiting job becomes due, at most `until`.
Clock::time_point Dispatcher::next_start(Clock::time_point until) const {
  for (const auto& [id, job] : jobs_)
    if (!job->replica) until = std::min(until, job->not_before);
  return until;
}

void Dispatcher::start_checks(Clock::time_point now) {
  for (std::size_t n = 0; n < replicas_.size(); ++n) {
    if (!replicas_[n].breaker.wants_check(now)) continue;
    replicas_[n].breaker.note_check_start();
    checks_.emplace(http_->start({.url = replicas_[n].url + "/health",
                                  .body = std::nullopt,
                                  .timeout = std::min(kCheckTimeout, patience_.answer_timeout)}),
                    n);
  }
}

// Any answer means that the replica is up, except a status of 500 or more.
bool Dispatcher::take_check(const HttpClient::Ended& ended) {
  const auto check = checks_.extract(ended.ticket);
  if (check.empty()) return false;
  const bool is_there = ended.reply.failure == HttpFailure::kNone && ended.reply.status < 500;
  replicas_[check.mapped()].breaker.note_check(Clock::now(), is_there);
  return true;
}

void Dispatcher::start_what_is_due(Clock::time_point now) {
  std::vector<Id> due;
  for (const auto& [id, job] : jobs_)
    if (!job->replica && now >= job->not_before) due.push_back(id);
  for (const Id id : due) {
    Job& job = *jobs_.at(id);
    const auto may = [&job](std::size_t n) { return job.may_go_to(n); };
    if (const auto replica = replicas_.pick(now, job.preferred, may)) {
      start(id, job, *replica);
      continue;
    }
    bool waits_for_trial = false;  // a trial in progress will decide
    for (std::size_t n = 0; n < replicas_.size(); ++n)
      waits_for_trial |= may(n) && replicas_[n].breaker.is_on_trial();
    if (waits_for_trial) {
      job.not_before = now + patience_.backoff;
    } else {
      begin_anew(id, job, now);
    }
  }
}

void Dispatcher::start(Id id, Job& job, std::size_t replica) {
  HttpCall call{.url = replicas_[replica].url + std::string(protocol_->path()),
                .body = protocol_->body(job.question, model_, job.cache),
                .timeout = patience_.answer_timeout};
  ++traffic_.n_tries;
  traffic_.sent_bytes += call.body->size();
  ++replicas_[replica].n_under_way;
  job.replica = replica;
  job.on_trial = replicas_[replica].breaker.note_start();
  job.ticket = http_->start(std::move(call));
  under_way_.emplace(job.ticket, id);
}

void Dispatcher::take(const HttpClient::Ended& ended) {
  if (take_check(ended)) return;
  const auto found = under_way_.find(ended.ticket);
  if (found == under_way_.end()) return;
  const Id id = found->second;
  under_way_.erase(found);
  Job& job = *jobs_.at(id);
  const std::size_t replica = *std::exchange(job.replica, std::nullopt);
  const bool on_trial = std::exchange(job.on_trial, false);
  --replicas_[replica].n_under_way;
  traffic_.received_bytes += ended.reply.body.size();
  const ReplyKind kind = kind_of(ended.reply);
  if (kind == ReplyKind::kAnswer || kind == ReplyKind::kRefused) {
    if (replicas_[replica].breaker.is_open())
      log(LogLevel::kInfo, "engine " + replicas_[replica].url + " answers again");
    replicas_[replica].breaker.note_success();
    return take_answer(id, job, replica, ended.reply);
  }
  note_failure(job, replica, ended.reply, on_trial);
}

void Dispatcher::take_answer(Id id, Job& job, std::size_t replica, const HttpReply& reply) {
  const auto fail = [&](const Error& error) {
    end(id, error.within("engine " + replicas_[replica].url), replica);
  };
  if (kind_of(reply) == ReplyKind::kRefused)
    return fail(Error(ErrorCode::kRuntime, describe(reply)));
  auto answer = protocol_->parse(reply.body, job.question);
  if (!answer) return fail(answer.error());
  if (*answer) {
    ++traffic_.n_questions;
    ++replicas_[replica].n_answered;
    return end(id, **std::move(answer), replica);
  }
  if (job.cache == CacheUse::kSkip)
    return fail(Error(ErrorCode::kRuntime, "it returns no rows even without its prefix cache"));
  job.cache = CacheUse::kSkip;
  start(id, job, replica);
}

void Dispatcher::note_failure(Job& job, std::size_t replica, const HttpReply& reply,
                              bool on_trial) {
  Replica& failed = replicas_[replica];
  const auto now = Clock::now();
  const ReplyKind kind = kind_of(reply);
  failed.last_failure = job.reasons[replica] = describe(reply);
  job.tried[replica] = true;
  job.excluded[replica] = kind == ReplyKind::kUnusable;
  job.n_timeouts += kind == ReplyKind::kTimeout ? 1 : 0;
  if (reply.failure == HttpFailure::kNone && reply.retry_after) {
    failed.busy_until =
        std::max(failed.busy_until,
                 now + std::min<Clock::duration>(*reply.retry_after, patience_.max_retry_after));
    if (*reply.retry_after > patience_.max_retry_after) job.excluded[replica] = true;
  }
  if (kind == ReplyKind::kBusy) return failed.breaker.note_success();
  const bool was_open = failed.breaker.is_open();
  const bool is_enough = kind == ReplyKind::kTimeout || kind == ReplyKind::kUnusable;
  if (is_enough) {
    failed.breaker.trip(now, on_trial);
  } else {
    failed.breaker.note_failure(now, on_trial);
  }
  if (!was_open && failed.breaker.is_open())
    log(LogLevel::kWarning, "engine " + failed.url + " is left alone: " + failed.last_failure);
  if (kind == ReplyKind::kTimeout) move_others(replica, now);
}

// After a timeout, the replica's other questions would probably wait in vain: moves them to other
// replicas.
void Dispatcher::move_others(std::size_t replica, Clock::time_point now) {
  for (const auto& [id, job] : jobs_) {
    if (job->replica != replica) continue;
    const auto may = [&job = *job, replica](std::size_t n) {
      return n != replica && job.may_go_to(n);
    };
    if (!replicas_.pick(now, std::nullopt, may)) continue;
    withdraw(*job);
    job->tried[replica] = true;
    job->reasons[replica] = replicas_[replica].last_failure;
  }
}

// No replica is left for the job now: it waits and begins anew, or fails.
void Dispatcher::begin_anew(Id id, Job& job, Clock::time_point now) {
  auto available = Clock::time_point::max();
  bool all_tried = true;
  for (std::size_t n = 0; n < replicas_.size(); ++n) {
    if (!job.excluded[n]) available = std::min(available, replicas_[n].available_at());
    all_tried = all_tried && !job.may_go_to(n);
  }
  const bool has_waited_enough = job.n_timeouts > 1 && all_tried;
  if (has_waited_enough || ++job.n_beginnings > patience_.retries ||
      available == Clock::time_point::max())
    return end(id, all_failed(job), std::nullopt);
  job.tried.assign(replicas_.size(), false);
  job.not_before = std::max(now + backoff_.delay(job.n_beginnings), available);
}

Error Dispatcher::all_failed(const Job& job) const {
  std::string text;
  for (std::size_t n = 0; n < replicas_.size(); ++n) {
    const std::string& own = job.reasons[n];
    const std::string& reason = own.empty() ? replicas_[n].last_failure : own;
    text += (n > 0 ? "; " : "") + replicas_[n].url + ": " +
            (reason.empty() ? "it was not reached in time" : reason);
  }
  return {ErrorCode::kRuntime, "no engine answers: " + text};
}

void Dispatcher::end(Id id, Result<RowAnswer> answer, std::optional<std::size_t> replica) {
  const auto found = jobs_.find(id);
  const std::chrono::duration<double, std::milli> time = Clock::now() - found->second->start;
  answered_.push_back(
      {.id = id, .answer = std::move(answer), .replica = replica, .ms = time.count()});
  jobs_.erase(found);
}

RemoteEngine::Traffic Dispatcher::traffic() const {
  RemoteEngine::Traffic traffic = traffic_;
  for (std::size_t n = 0; n < replicas_.size(); ++n)
    traffic.served.push_back(replicas_[n].n_answered);
  return traffic;
}

void Dispatcher::log(LogLevel level, const std::string& line) const {
  if (log_) log_(level, line);
}

}  // namespace rsd
