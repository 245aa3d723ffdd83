// ggml's RPC server in a process of its own, which a client's message may end. Internal.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "rsd/core/result.h"
#include "rsd/rpc/rpc_gate.h"

namespace rsd {

// At most one worker at a time, on a port of loopback. It ends with this process, too. For the main
// thread of a process that has no other, since it forks.
class RpcWorker {
 public:
  // The host and the port of `options` are replaced.
  RpcWorker(RpcServerOptions options, RpcWorkerMain worker_main)
      : options_(std::move(options)), worker_main_(std::move(worker_main)) {}
  // Kills the worker: it has nothing to finish.
  ~RpcWorker();
  RpcWorker(RpcWorker&& other) noexcept;
  RpcWorker& operator=(RpcWorker&&) = delete;

  // kRuntime: the system gives no port or no process.
  Result<void> start();
  bool is_running() const noexcept { return process_ > 0; }
  // A connection to it that doesn't block, which the caller owns; -1: it doesn't listen (yet).
  int connect();
  struct End {
    std::optional<int> exit_code;     // nullopt: a signal ended it
    std::string how;                  // in words
    bool has_listened = false;        // it once was connected to
    std::chrono::milliseconds lived;  // since start()
  };
  // nullopt while it runs, or if there is none.
  std::optional<End> reap();

 private:
  RpcServerOptions options_;
  RpcWorkerMain worker_main_;
  pid_t process_ = 0;
  bool has_listened_ = false;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace rsd
