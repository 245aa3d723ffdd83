// A bounded queue in front of one ranker, and the thread that drives it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "rsd/core/mutex.h"
#include "rsd/data/answer.h"
#include "rsd/ranker/ranker.h"
#include "rsd/ranker/ranking_queue.h"
#include "server/metrics.h"
#include "server/queue_turns.h"

namespace rsd::server {

struct JobRequest {
  std::shared_ptr<const PreparedRequest> request;
  std::string key{};  // the API key's name; empty: none
};

struct JobAnswer {
  Answer answer;
  double queue_ms = 0;  // from its arrival until it was taken in
};

struct HungUp {};    // the client went away
struct ShutDown {};  // the server ended before the job did
struct NoMemory {};  // there was none left
using JobEnd = std::variant<JobAnswer, Error, HungUp, ShutDown, NoMemory>;

enum class Refusal { kFull, kDraining };

// The longest a request that arrives waits for the pass that is running.
inline constexpr std::chrono::milliseconds kLongestPass{200};

// Requests of all clients go through the engine together, one pass of the LLM at a time, which
// takes at most kLongestPass as far as costs are known. As many are taken in as the ranker has
// places for: those that are due first (QueueTurns), and short ones in places that are reserved for
// them. Then decode/turn.h decides whose turn it is. Thread-safe, but for the constructor and the
// destructor.
class Scheduler {
 public:
  struct Limits {
    std::size_t queue = 64;                  // jobs that wait
    std::size_t reserved = kReservedPlaces;  // places for short ones, beside the ranker's
  };
  struct Job;
  using JobHandle = std::shared_ptr<Job>;

  // Ranker and metrics outlive it.
  Scheduler(Ranker& ranker, const Limits& limits, Metrics& metrics);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Would so many be refused now? To be asked before costly preparations.
  std::optional<Refusal> refusal_of(std::size_t n_jobs) const;

  // All of them or none. Each must be waited for or cancelled.
  std::variant<std::vector<JobHandle>, Refusal> submit(std::vector<JobRequest> requests);

  // Waits until the job has ended, at most until its deadline: if it is still queued then, or the
  // running pass doesn't include it, the answer is the input order or the ranking so far. `hung_up`
  // is called many times a second; once it returns true, the job is cancelled.
  JobEnd wait(const JobHandle& job, const std::function<bool()>& hung_up);
  // Its place is free once the running pass has ended.
  void cancel(const JobHandle& job);

  // How long a refused client should wait before another try, by what jobs took lately.
  std::chrono::seconds retry_after() const;
  std::size_t n_queued() const;
  std::size_t n_in_flight() const;
  PromptReuse prompt_reuse() const;

  // Takes no more jobs, and waits for those it has. False: some are left at `until`.
  bool drain(Clock::time_point until);
  // Ends all remaining jobs as ShutDown at once. False: the running pass hasn't ended by `until`;
  // the destructor waits for it.
  bool stop(Clock::time_point until);

 private:
  std::optional<Refusal> refusal_under_lock(std::size_t n_jobs) const RSD_REQUIRES(mutex_);
  void work();
  bool wait_for_work();
  void drop_cancelled();
  void admit();
  JobHandle next_to_admit();
  void take_in(const JobHandle& job);
  void step();
  void finish(RankingQueue::Finished finished) RSD_REQUIRES(mutex_);
  std::optional<JobEnd> go_on();
  void fail_all(const JobEnd& how);
  void make_queue();
  void end(Job& job, JobEnd how) RSD_REQUIRES(mutex_);
  void end_without_memory(Job& job, const JobEnd& how) RSD_REQUIRES(mutex_);
  void abandon(const JobHandle& job) RSD_REQUIRES(mutex_);
  std::optional<JobEnd> answer_at_deadline(const JobHandle& job) RSD_REQUIRES(mutex_);
  bool has_jobs() const RSD_REQUIRES(mutex_) { return !queue_.empty() || !in_flight_.empty(); }

  Ranker& ranker_;
  const Limits limits_;
  Metrics& metrics_;
  std::unique_ptr<RankingQueue> ranking_;  // the engine thread's
  std::size_t next_ticket_ = 0;            // the engine thread's

  mutable Mutex mutex_;
  Condition work_;
  Condition idle_;
  std::vector<JobHandle> queue_ RSD_GUARDED_BY(mutex_);
  QueueTurns turns_ RSD_GUARDED_BY(mutex_);
  std::map<std::size_t, JobHandle> in_flight_ RSD_GUARDED_BY(mutex_);
  bool draining_ RSD_GUARDED_BY(mutex_) = false;
  bool stopping_ RSD_GUARDED_BY(mutex_) = false;
  bool stopped_ RSD_GUARDED_BY(mutex_) = false;   // the engine's thread is at its end
  double busy_ms_ RSD_GUARDED_BY(mutex_) = 0;     // since the last job ended
  double ms_per_job_ RSD_GUARDED_BY(mutex_) = 0;  // a moving average; 0 = none has ended yet
  PromptReuse prompt_reuse_ RSD_GUARDED_BY(mutex_);

  std::thread thread_;  // last: it uses what stands above
};

}  // namespace rsd::server
