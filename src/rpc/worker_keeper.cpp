#include "rpc/worker_keeper.h"

#include <algorithm>

#include "rsd/core/log_to.h"

namespace rsd {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestPause{10'000};
constexpr std::chrono::milliseconds kLongLife{30'000};  // after which the pauses begin anew
constexpr int kStarts = 3;  // of a worker that never listens: its port may have been taken

}  // namespace

bool WorkerKeeper::reap() {
  const auto end = worker_.reap();
  if (end) note_end(*end);
  return end.has_value();
}

void WorkerKeeper::note_end(const RpcWorker::End& end) {
  if (end.lived >= kLongLife) {
    pause_ = kFirstPause;
    n_failed_starts_ = 0;
  }
  if (end.exit_code && !end.has_listened) {
    ++n_failed_starts_;
    if (*end.exit_code != retried_exit_code_ || n_failed_starts_ == kStarts) {
      final_exit_code_ = end.exit_code;
      return;
    }
  }
  postpone_start("the worker has ended (" + end.how + ")");
}

void WorkerKeeper::postpone_start(const std::string& why) {
  log_to(log_, LogLevel::kWarning,
         why + "; another starts in " + std::to_string(pause_.count()) + " ms");
  start_at_ = steady_clock::now() + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
}

bool WorkerKeeper::is_start_due() const {
  return !final_exit_code_ && !worker_.is_running() && steady_clock::now() >= start_at_;
}

void WorkerKeeper::start() {
  if (const auto started = worker_.start(); !started) postpone_start(started.error().message());
}

}  // namespace rsd
