// Keeps one RPC worker running. Internal.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "rpc/worker.h"
#include "rsd/core/log.h"

namespace rsd {

// Starts a worker again when it has ended, after pauses that double from 0.1 s to 10 s until one
// lives for 30 s. One thread.
class WorkerKeeper {
 public:
  // `retried_exit_code` as in RpcGateOptions.
  WorkerKeeper(RpcWorker worker, int retried_exit_code, LogSink log)
      : worker_(std::move(worker)), retried_exit_code_(retried_exit_code), log_(std::move(log)) {}

  // True if the worker has ended since the last call.
  bool reap();
  bool is_start_due() const;
  void start();
  // RpcWorker::connect.
  int connect() { return worker_.connect(); }
  // The exit code of a worker that can't work here; no start is due then.
  std::optional<int> final_exit_code() const noexcept { return final_exit_code_; }

 private:
  void note_end(const RpcWorker::End& end);
  void postpone_start(const std::string& why);

  RpcWorker worker_;
  const int retried_exit_code_;
  const LogSink log_;
  std::chrono::steady_clock::time_point start_at_;
  static constexpr std::chrono::milliseconds kFirstPause{100};
  std::chrono::milliseconds pause_ = kFirstPause;
  int n_failed_starts_ = 0;
  std::optional<int> final_exit_code_;
};

}  // namespace rsd
