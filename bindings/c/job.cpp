#include "bindings/c/job.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "bindings/c/error_object.h"
#include "rsd/core/duration.h"

namespace rsd::bindings {

bool Job::has_ended() const {
  const MutexLock lock(mutex_);
  return has_ended_;
}

bool Job::wait(double timeout_ms) const {
  const auto until = std::chrono::steady_clock::now() + duration_of_ms(std::max(0.0, timeout_ms));
  const MutexLock lock(mutex_);
  while (!has_ended_) {
    if (timeout_ms < 0) {
      ended_.wait(mutex_);
    } else if (!ended_.wait_until(mutex_, until)) {
      break;
    }
  }
  return has_ended_;
}

void Job::end_with(Result<Answer> answer) {
  if (!answer) {
    end(JobFault{.code = code_of(answer.error().code()), .message = answer.error().message()});
    return;
  }
  std::vector<std::string> ids;
  ids.reserve(request_->request().candidates.size());
  for (const Candidate& candidate : request_->request().candidates)
    ids.push_back(candidate.id);
  end(Ranked{.answer = *std::move(answer), .ids = std::move(ids)});
}

void Job::end_with(JobFault fault) {
  end(std::move(fault));
}

void Job::cancel(const char* why) {
  end(JobFault{.code = RSD_CANCELLED, .message = why});
}

void Job::end(End how) {
  const MutexLock lock(mutex_);
  if (has_ended_) return;
  end_ = std::move(how);
  has_ended_ = true;
  ended_.notify_all();
}

Job::End Job::take() {
  wait(-1);
  const MutexLock lock(mutex_);
  return std::exchange(end_, Taken{});
}

}  // namespace rsd::bindings
