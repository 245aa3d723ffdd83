// Who gets through to the RPC worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/rpc_relay.h"
#include "commands/rpc_worker.h"
#include "rsd/core/result.h"
#include "terminal/exit_code.h"

namespace rsd::cli {

struct RpcGateOptions {
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 0;
  std::size_t waiting = 16;                   // clients that may wait for their turn
  std::chrono::milliseconds greeting{5'000};  // for a client to send its first message
  std::chrono::milliseconds idle{0};          // after which a client is given up; 0 = never
  std::string cache;                          // the worker's folder; empty: none
  std::uintmax_t cache_bytes = 0;             // that it may have between clients
};

// ggml's server takes one client at a time, waits for it for ever, and aborts on messages that it
// doesn't expect. So clients come here first: whoever has sent no whole greeting holds nobody up,
// those that have go to the worker one after the other, and a worker that has ended is started
// again. One thread; ends with SIGTERM or SIGINT.
class RpcGate {
 public:
  // `worker` outlives it.
  RpcGate(RpcGateOptions options, RpcWorker& worker);
  ~RpcGate();
  RpcGate(const RpcGate&) = delete;
  RpcGate& operator=(const RpcGate&) = delete;

  // kInvalidArgument: no IPv4 address; kRuntime: the address can't be had.
  Result<void> listen();
  // Until a signal to stop, or until a worker ends that can't work here: its exit code.
  ExitCode run();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Client {
    int socket;
    Time since;
    std::string greeting;  // as much as has come
  };

  void poll_once();
  void follow_signals();
  void accept_all();
  bool receive(Client& client) const;
  void attend_clients();
  void admit();
  void carry();
  void end_relay(const char* why);
  void tend_worker();
  void start_worker();
  void limit_cache() const;

  const RpcGateOptions options_;
  RpcWorker& worker_;
  int listening_ = -1;
  int signals_ = -1;           // a signalfd
  std::list<Client> clients_;  // in the order in which they came
  std::optional<RpcRelay> relay_;
  Time start_at_;  // no worker is started before
  std::chrono::milliseconds pause_;
  int failed_starts_ = 0;
  std::optional<ExitCode> end_;
};

}  // namespace rsd::cli
