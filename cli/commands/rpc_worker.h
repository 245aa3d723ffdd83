// ggml's RPC server in a process of its own, which a client may make end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "rsd/core/result.h"
#include "rsd/llm/rpc_server.h"

namespace rsd::cli {

// One worker at a time, on a port of loopback. It ends with this process, too. For the main thread
// of a process that has no other, since it forks.
class RpcWorker {
 public:
  // Of `options`, host and port are not the worker's.
  explicit RpcWorker(RpcServerOptions options) : options_(std::move(options)) {}
  // stop()s.
  ~RpcWorker();
  RpcWorker(const RpcWorker&) = delete;
  RpcWorker& operator=(const RpcWorker&) = delete;

  // kRuntime: the system gives no port or no process.
  Result<void> start();
  bool is_running() const noexcept { return process_ > 0; }
  // A connection to it that doesn't block, which the caller owns; -1: it doesn't listen (yet).
  int connect();
  struct End {
    std::optional<int> exit_code;     // nothing: a signal ended it
    std::string how;                  // in words
    bool has_listened = false;        // it once was connected to
    std::chrono::milliseconds lived;  // since start()
  };
  // Nothing while it runs, or where none does.
  std::optional<End> reap();
  void stop() noexcept;

 private:
  RpcServerOptions options_;
  pid_t process_ = 0;
  bool has_listened_ = false;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace rsd::cli
