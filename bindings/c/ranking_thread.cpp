#include "bindings/c/ranking_thread.h"

#include <exception>
#include <new>
#include <utility>

namespace rsd::bindings {

RankingThread::RankingThread(Ranker ranker, const QueueOptions& options)
    : ranker_(std::move(ranker)),
      options_(options),
      queue_(std::make_unique<RankingQueue>(ranker_, options_)),
      thread_([this] { work(); }) {}

RankingThread::~RankingThread() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  thread_.join();
  queue_.reset();  // before the ranker
}

Result<std::shared_ptr<Job>> RankingThread::submit(Request request, const RankOptions& options) {
  if (options.deadline)
    if (auto done = ensure_calibrated(); !done) return done.error();
  auto prepared = ranker_.prepare(std::move(request), options);
  if (!prepared) return prepared.error();
  auto job = std::make_shared<Job>(*std::move(prepared));
  const MutexLock lock(mutex_);
  waiting_.push_back(job);
  work_.notify_one();
  return job;
}

// While others are ranked, costs are learned from them.
Result<void> RankingThread::ensure_calibrated() {
  const MutexLock lock(mutex_);
  if (calibration_) return *calibration_;
  if (is_busy_ || !waiting_.empty()) return {};
  wants_calibration_ = true;
  work_.notify_one();
  while (wants_calibration_ && !stopping_)
    calibrated_.wait(mutex_);
  return calibration_.value_or(Result<void>());
}

// ---- The thread -------------------------------------------------------------------------------

void RankingThread::work() {
  while (wait_for_work())
    serve();
  end_all({.code = RSD_CANCELLED, .message = "the ranker was freed"});
  const MutexLock lock(mutex_);
  calibrated_.notify_all();
}

bool RankingThread::wait_for_work() {
  const MutexLock lock(mutex_);
  is_busy_ = !in_flight_.empty();
  while (!stopping_ && !is_busy_ && !wants_calibration_ && waiting_.empty())
    work_.wait(mutex_);
  return !stopping_;
}

// An exception, ours or for want of memory, ends the jobs but not the thread.
void RankingThread::serve() {
  try {
    if (!queue_) queue_ = std::make_unique<RankingQueue>(ranker_, options_);
    calibrate();
    drop_ended();
    take_in();
    step();
  } catch (const std::bad_alloc&) {
    end_all({.code = RSD_OUT_OF_MEMORY, .message = {}});
  } catch (const std::exception& defect) {
    end_all({.code = RSD_INTERNAL, .message = defect.what()});
  }
}

// Unless jobs came first.
void RankingThread::calibrate() {
  {
    const MutexLock lock(mutex_);
    if (!wants_calibration_) return;
  }
  std::optional<Result<void>> done;
  if (in_flight_.empty()) done = ranker_.calibrate();
  const MutexLock lock(mutex_);
  calibration_ = std::move(done);
  wants_calibration_ = false;
  calibrated_.notify_all();
}

// Those that were cancelled make no further passes.
void RankingThread::drop_ended() {
  std::erase_if(in_flight_, [this](const auto& entry) {
    if (!entry.second->has_ended()) return false;
    queue_->cancel(entry.first);
    return true;
  });
}

void RankingThread::take_in() {
  while (const auto arrived = next_arrived()) {
    const auto& [ticket, job] = *arrived;
    if (job->has_ended()) {
      in_flight_.erase(ticket);
    } else if (const auto added = queue_->add(ticket, job->request()); !added) {
      job->end_with(added.error());
      in_flight_.erase(ticket);
    }
  }
}

// A job is in waiting_ or in in_flight_ at any time, whatever throws.
std::optional<std::pair<std::size_t, std::shared_ptr<Job>>> RankingThread::next_arrived() {
  const MutexLock lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  const auto [entry, is_new] = in_flight_.emplace(next_ticket_, waiting_.front());
  ++next_ticket_;
  waiting_.pop_front();
  is_busy_ = true;
  return *entry;
}

void RankingThread::step() {
  if (in_flight_.empty()) return;
  for (auto& finished : queue_->step()) {
    const auto job = in_flight_.extract(finished.ticket).mapped();
    job->end_with(std::move(finished.answer));
  }
}

// Without the memory for its message a fault ends a job all the same.
void RankingThread::end_job(Job& job, const JobFault& how) {
  try {
    job.end_with(how);
  } catch (const std::bad_alloc&) {
    job.end_with(JobFault{.code = how.code, .message = {}});
  }
}

// The queue is made anew by serve(), since an exception may have left it in any state.
void RankingThread::end_all(const JobFault& how) {
  queue_.reset();  // frees the LLM's places
  for (const auto& [ticket, job] : in_flight_)
    end_job(*job, how);
  in_flight_.clear();
  const MutexLock lock(mutex_);
  for (const auto& job : waiting_)
    end_job(*job, how);
  waiting_.clear();
  wants_calibration_ = false;
  calibrated_.notify_all();
}

}  // namespace rsd::bindings
