// A request that was handed in, seen by those who wait for it and by the thread that ranks it.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "bindings/c/rsd.h"
#include "rsd/core/mutex.h"
#include "rsd/data/answer.h"
#include "rsd/ranker/ranker.h"

namespace rsd::bindings {

struct JobFault {
  rsd_code code = RSD_INTERNAL;
  std::string message{};
};

// Thread-safe. It ends once: what comes later has no effect.
class Job {
 public:
  struct Ranked {
    Answer answer;
    std::vector<std::string> ids;  // by candidate
  };
  struct Taken {};  // the end was given away
  using End = std::variant<Ranked, JobFault, Taken>;

  explicit Job(std::shared_ptr<const PreparedRequest> request) : request_(std::move(request)) {}

  const std::shared_ptr<const PreparedRequest>& request() const noexcept { return request_; }

  bool has_ended() const;
  // Waits until it has ended, at most that long; below 0 without limit. Returns has_ended().
  bool wait(double timeout_ms) const;
  void end_with(Result<Answer> answer);
  void end_with(JobFault fault);
  void cancel(const char* why);
  // Waits for the end and gives it away.
  End take();

 private:
  void end(End how);

  const std::shared_ptr<const PreparedRequest> request_;
  mutable Mutex mutex_;
  mutable Condition ended_;
  bool has_ended_ RSD_GUARDED_BY(mutex_) = false;
  End end_ RSD_GUARDED_BY(mutex_);
};

}  // namespace rsd::bindings
