// Serves this machine's processors to other machines' models, whoever the clients are: ggml's RPC
// server (rsd/llm/rpc_server.h) takes one client at a time, waits for it forever, and aborts on
// messages that it doesn't expect. So it runs in a process of its own, the worker, and clients come
// to a gate first.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/llm/rpc_server.h"

namespace rsd {

struct RpcGateOptions {
  RpcServerOptions server;   // its address is the gate's; the worker listens on loopback
  std::size_t waiting = 16;  // clients that may wait for their turn; others are closed
  std::chrono::milliseconds greeting{5'000};  // for a client to send its first message
  std::chrono::milliseconds idle{0};          // a served client without a byte for longer is
                                              // closed; 0 = never
  std::uintmax_t cache_bytes = std::uintmax_t{64} << 30U;  // that server.cache may have between
                                                           // clients
  int retried_exit_code = 1;  // of a worker that may work if it is started again, since its port
                              // was taken meanwhile
  LogSink log{};
};

// The life of a worker, in a forked process that has no open files but the standard streams, with
// standard output on standard error: calls serve_rpc(options) and ends the process with an exit
// code. A process in which it returns or throws is killed.
using RpcWorkerMain = std::function<void(const RpcServerOptions& options)>;

// Clients that have sent a whole greeting go to the worker one after the other, those that have not
// delay nobody, and a worker that has ended is started again, after 0.1 s or up to 10 s if that
// happens again and again. For the main thread of a process that has no other thread and nothing
// that a forked process must not inherit, such as an LLM.
class RpcGate {
 public:
  // kInvalidArgument: the host is not an IPv4 address; kNotFound: the cache's folder is missing;
  // kRuntime: the address can't be bound.
  static Result<RpcGate> listen(RpcGateOptions options, RpcWorkerMain worker_main);
  // Ends the worker.
  ~RpcGate();
  RpcGate(RpcGate&&) noexcept;
  RpcGate& operator=(RpcGate&&) noexcept;

  // Serves until SIGTERM or SIGINT, which it blocks: nullopt. Otherwise the exit code of a worker
  // that can't work here: it ended before it listened, three times in a row if with
  // retried_exit_code.
  std::optional<int> run();

 private:
  class Loop;
  explicit RpcGate(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace rsd
