#include "server/scheduler.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "rsd/core/duration.h"
#include "rsd/decode/batch_run.h"

namespace rsd::server {
namespace {

// How often a waiting client's connection is looked at.
constexpr std::chrono::milliseconds kQueueLookInterval{20};

}  // namespace

struct Scheduler::Job {
  enum class State { kQueued, kInFlight, kDone };

  std::shared_ptr<const PreparedRequest> request;
  std::string key;  // JobRequest::key
  Clock::time_point due;
  Clock::time_point admitted;
  State state = State::kQueued;
  std::optional<Answer> left_out;  // of the pass that is running: its answer so far
  std::optional<JobEnd> end;
  Condition changed;
};

Scheduler::Scheduler(Ranker& ranker, const Limits& limits, Metrics& metrics)
    : ranker_(ranker), limits_(limits), metrics_(metrics), turns_(ranker.costs()) {
  make_queue();
  thread_ = std::thread([this] { work(); });
}

Scheduler::~Scheduler() {
  stop(Clock::time_point::max());
  thread_.join();
}

bool Scheduler::stop(Clock::time_point until) {
  MutexLock lock(mutex_);
  draining_ = stopping_ = true;
  for (const auto& job : queue_)
    end(*job, ShutDown{});
  for (const auto& [ticket, job] : in_flight_)
    if (job->state == Job::State::kInFlight) end(*job, ShutDown{});
  work_.notify_all();
  while (!stopped_)
    if (!idle_.wait_until(mutex_, until)) break;
  return stopped_;
}

void Scheduler::make_queue() {
  ranking_ = std::make_unique<RankingQueue>(
      ranker_, QueueOptions{.reserved = limits_.reserved, .longest_pass = kLongestPass});
  ranking_->on_left_out([this](std::size_t ticket, const Answer& so_far) {
    const MutexLock lock(mutex_);
    Job& job = *in_flight_.at(ticket);
    job.left_out = so_far;
    job.changed.notify_all();
  });
}

// ---- The clients' side ------------------------------------------------------------------------

std::optional<Refusal> Scheduler::refusal_of(std::size_t n_jobs) const {
  const MutexLock lock(mutex_);
  return refusal_under_lock(n_jobs);
}

std::optional<Refusal> Scheduler::refusal_under_lock(std::size_t n_jobs) const {
  if (draining_) return Refusal::kDraining;
  if (queue_.size() + n_jobs > limits_.queue) return Refusal::kFull;
  return std::nullopt;
}

std::variant<std::vector<Scheduler::JobHandle>, Refusal> Scheduler::submit(
    std::vector<JobRequest> requests) {
  std::vector<JobHandle> jobs;
  jobs.reserve(requests.size());
  const auto now = Clock::now();
  for (JobRequest& request : requests) {
    auto job = std::make_shared<Job>();
    job->request = std::move(request.request);
    job->key = std::move(request.key);
    jobs.push_back(std::move(job));
  }
  {
    const MutexLock lock(mutex_);
    if (const auto refusal = refusal_under_lock(jobs.size())) return *refusal;
    for (const JobHandle& job : jobs) {
      const PreparedRequest& asked = *job->request;
      const Timeliness times{.deadline = asked.deadline(), .arrival = asked.arrival()};
      job->due = turns_.due(job->key, times, asked.expected_tokens(), now);
    }
    queue_.insert(queue_.end(), jobs.begin(), jobs.end());  // all or, without memory, none
  }
  work_.notify_one();
  return jobs;
}

JobEnd Scheduler::wait(const JobHandle& job, const std::function<bool()>& hung_up) {
  const auto deadline = job->request->deadline();
  MutexLock lock(mutex_);
  while (!job->end) {
    const auto now = Clock::now();
    if (deadline && now >= *deadline) {
      if (auto answer = answer_at_deadline(job)) return *std::move(answer);
    }
    auto until = now + kQueueLookInterval;
    if (deadline && now < *deadline) until = std::min(until, *deadline);
    job->changed.wait_until(mutex_, until);
    if (job->end) break;
    lock.unlock();
    const bool is_gone = hung_up();
    lock.lock();
    if (is_gone && !job->end) {
      abandon(job);
      metrics_.count_cancelled();
      return HungUp{};
    }
  }
  return *std::exchange(job->end, std::nullopt);
}

// nullopt: the engine is about to answer.
std::optional<JobEnd> Scheduler::answer_at_deadline(const JobHandle& job) {
  JobAnswer job_answer;
  const auto now = Clock::now();
  const auto arrival = job->request->arrival();
  if (job->state == Job::State::kQueued) {
    job_answer = {.answer = job->request->answer_without_llm(now),
                  .queue_ms = ms_between(arrival, now)};
  } else if (job->left_out) {
    job_answer = {.answer = *job->left_out, .queue_ms = ms_between(arrival, job->admitted)};
  } else {
    return std::nullopt;
  }
  job_answer.answer.deadline_hit = true;
  job_answer.answer.total_ms = ms_between(arrival, now);
  abandon(job);
  metrics_.observe_answer(job_answer.answer);
  return job_answer;
}

void Scheduler::cancel(const JobHandle& job) {
  const MutexLock lock(mutex_);
  abandon(job);
}

// The engine's thread drops a job that is in flight.
void Scheduler::abandon(const JobHandle& job) {
  if (job->state == Job::State::kQueued) std::erase(queue_, job);
  job->state = Job::State::kDone;
  if (!has_jobs()) idle_.notify_all();
  work_.notify_one();
}

std::chrono::seconds Scheduler::retry_after() const {
  constexpr double kLongest = 600;
  const MutexLock lock(mutex_);
  const auto n_jobs = static_cast<double>(queue_.size() + in_flight_.size());
  const double seconds = std::ceil(n_jobs * ms_per_job_ / 1000);
  return std::chrono::seconds(std::lround(std::clamp(seconds, 1.0, kLongest)));
}

std::size_t Scheduler::n_queued() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

std::size_t Scheduler::n_in_flight() const {
  const MutexLock lock(mutex_);
  return in_flight_.size();
}

PromptReuse Scheduler::prompt_reuse() const {
  const MutexLock lock(mutex_);
  return prompt_reuse_;
}

bool Scheduler::drain(Clock::time_point until) {
  MutexLock lock(mutex_);
  draining_ = true;
  while (has_jobs())
    if (!idle_.wait_until(mutex_, until)) break;
  return !has_jobs();
}

// ---- The engine's thread ----------------------------------------------------------------------

void Scheduler::work() {
  while (wait_for_work())
    if (const auto fault = go_on()) fail_all(*fault);
  ranking_.reset();
  const MutexLock lock(mutex_);
  stopped_ = true;
  idle_.notify_all();
}

// An exception, ours or for want of memory, ends the requests in progress, but not the server.
std::optional<JobEnd> Scheduler::go_on() try {
  try {
    drop_cancelled();
    admit();
    if (ranking_->size() > 0) step();
    return std::nullopt;
  } catch (const std::bad_alloc&) {
    return NoMemory{};
  } catch (const std::exception& defect) {
    return Error(ErrorCode::kRuntime, defect.what());
  }
} catch (const std::bad_alloc&) {  // for the defect's words
  return NoMemory{};
}

bool Scheduler::wait_for_work() {
  MutexLock lock(mutex_);
  while (!stopping_ && !has_jobs())
    work_.wait(mutex_);
  return !stopping_;
}

void Scheduler::drop_cancelled() {
  const MutexLock lock(mutex_);
  std::erase_if(in_flight_, [this](const auto& entry) {
    if (entry.second->state == Job::State::kInFlight) return false;
    ranking_->cancel(entry.first);
    return true;
  });
  if (!has_jobs()) idle_.notify_all();
}

void Scheduler::admit() {
  while (const JobHandle job = next_to_admit())
    take_in(job);
}

// Null if there is no place for any waiting job.
Scheduler::JobHandle Scheduler::next_to_admit() {
  const bool for_all = ranking_->has_place(Length::kLong);
  if (!for_all && !ranking_->has_place(Length::kShort)) return nullptr;
  const MutexLock lock(mutex_);
  auto next = queue_.end();
  for (auto job = queue_.begin(); job != queue_.end(); ++job) {
    if (!for_all && length_of((*job)->request->expected_tokens()) != Length::kShort) continue;
    if (next == queue_.end() || (*job)->due < (*next)->due) next = job;
  }
  if (next == queue_.end()) return nullptr;
  JobHandle job = *next;
  in_flight_.emplace(next_ticket_ + 1, job);  // first: without memory it stays in the queue
  ++next_ticket_;
  queue_.erase(next);
  job->state = Job::State::kInFlight;
  job->admitted = Clock::now();
  return job;
}

void Scheduler::take_in(const JobHandle& job) {
  metrics_.observe_queue(ms_between(job->request->arrival(), job->admitted));
  const auto added = ranking_->add(next_ticket_, job->request);
  if (added) return;
  const MutexLock lock(mutex_);
  end(*job, added.error());
  in_flight_.erase(next_ticket_);
  if (!has_jobs()) idle_.notify_all();
}

void Scheduler::step() {
  const auto start = Clock::now();
  auto finished = ranking_->step();
  const MutexLock lock(mutex_);
  busy_ms_ += ms_between(start, Clock::now());
  prompt_reuse_ = ranker_.prompt_reuse();
  turns_.learn(ranker_.costs());
  for (const auto& [ticket, job] : in_flight_)
    job->left_out.reset();
  if (!finished.empty()) {
    constexpr double kMemory = 0.8;
    const double ms = busy_ms_ / static_cast<double>(finished.size());
    ms_per_job_ = ms_per_job_ == 0 ? ms : kMemory * ms_per_job_ + (1 - kMemory) * ms;
    busy_ms_ = 0;
  }
  for (auto& done : finished)
    finish(std::move(done));
  if (!has_jobs()) idle_.notify_all();
}

void Scheduler::finish(RankingQueue::Finished finished) {
  const auto found = in_flight_.find(finished.ticket);
  const JobHandle job = found->second;
  in_flight_.erase(found);
  if (job->state == Job::State::kDone) return;  // nobody waits for it any more
  if (!finished.answer) return end(*job, finished.answer.error());
  const auto arrival = job->request->arrival();
  JobAnswer answer{.answer = *std::move(finished.answer),
                   .queue_ms = ms_between(arrival, job->admitted)};
  answer.answer.total_ms = ms_between(arrival, Clock::now());
  metrics_.observe_answer(answer.answer);
  end(*job, std::move(answer));
}

// Allocates nothing but the new queue, and waits until there is memory for that: the requests that
// ended free theirs.
void Scheduler::fail_all(const JobEnd& how) {
  ranking_.reset();  // frees the engine's places before they are taken again
  {
    const MutexLock lock(mutex_);
    for (const auto& [ticket, job] : in_flight_)
      if (job->state == Job::State::kInFlight) end_without_memory(*job, how);
    in_flight_.clear();
    if (queue_.empty()) idle_.notify_all();
  }
  while (ranking_ == nullptr) {
    try {
      make_queue();
    } catch (const std::bad_alloc&) {
      std::this_thread::sleep_for(kQueueLookInterval);
    }
  }
}

void Scheduler::end_without_memory(Job& job, const JobEnd& how) {
  try {
    end(job, how);
  } catch (const std::bad_alloc&) {
    end(job, NoMemory{});
  }
}

void Scheduler::end(Job& job, JobEnd how) {
  job.state = Job::State::kDone;
  job.end = std::move(how);
  job.changed.notify_all();
}

}  // namespace rsd::server
