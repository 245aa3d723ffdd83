// A ranker that any number of threads may use: one thread of its own drives the LLM.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "bindings/c/job.h"
#include "rsd/core/mutex.h"
#include "rsd/core/result.h"
#include "rsd/ranker/ranker.h"
#include "rsd/ranker/ranking_queue.h"

namespace rsd::bindings {

// Jobs enter the ranker's queue as they come; its passes are made while there are any. Thread-safe,
// except for the constructor and the destructor.
class RankingThread {
 public:
  explicit RankingThread(Ranker ranker, const QueueOptions& options);
  // Cancels all jobs and waits for the pass that is running.
  ~RankingThread();
  RankingThread(const RankingThread&) = delete;
  RankingThread& operator=(const RankingThread&) = delete;

  // Plans the request in the caller's thread and hands it in. The first request with a deadline
  // that finds the thread idle has it measure the costs of passes, before its time begins. Errors
  // of Ranker::prepare and Ranker::calibrate.
  Result<std::shared_ptr<Job>> submit(Request request, const RankOptions& options);

  // Only its members that may be called from any thread.
  const Ranker& ranker() const noexcept { return ranker_; }

 private:
  void work();
  bool wait_for_work();
  void serve();
  void calibrate();
  void drop_ended();
  void take_in();
  std::optional<std::pair<std::size_t, std::shared_ptr<Job>>> next_arrived();
  void step();
  static void end_job(Job& job, const JobFault& how);
  void end_all(const JobFault& how);
  Result<void> ensure_calibrated();

  Ranker ranker_;
  const QueueOptions options_;
  std::unique_ptr<RankingQueue> queue_;                    // the thread's; null after a fault
  std::map<std::size_t, std::shared_ptr<Job>> in_flight_;  // the thread's, by ticket
  std::size_t next_ticket_ = 0;                            // the thread's

  Mutex mutex_;
  Condition work_;
  Condition calibrated_;
  std::deque<std::shared_ptr<Job>> waiting_ RSD_GUARDED_BY(mutex_);
  // Jobs are in flight, as far as those who submit are concerned.
  bool is_busy_ RSD_GUARDED_BY(mutex_) = false;
  bool wants_calibration_ RSD_GUARDED_BY(mutex_) = false;
  std::optional<Result<void>> calibration_ RSD_GUARDED_BY(mutex_);  // how it ended
  bool stopping_ RSD_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses what stands above
};

}  // namespace rsd::bindings
