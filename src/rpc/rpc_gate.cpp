#include "rsd/rpc/rpc_gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "rpc/client_queue.h"
#include "rpc/relay.h"
#include "rpc/tensor_cache.h"
#include "rpc/worker_keeper.h"
#include "rsd/core/log_to.h"

namespace rsd {
namespace {

using std::chrono::steady_clock;

// What changes without an event of a socket, such as a worker that begins to listen, is looked at
// so often.
constexpr std::chrono::milliseconds kLookInterval{50};

sigset_t followed_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT})
    sigaddset(&signals, signal);
  return signals;
}

// A socket of a valid address.
Result<int> listening_socket(const std::string& host, std::uint16_t port) {
  constexpr int kBacklog = 128;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  const int yes = 1;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      ::listen(socket, kBacklog) == 0)
    return socket;
  const std::string why = std::generic_category().message(errno);
  if (socket >= 0) ::close(socket);
  return Error(ErrorCode::kRuntime,
               "can't listen on " + host + ":" + std::to_string(port) + ": " + why);
}

}  // namespace

// One thread, which polls.
class RpcGate::Loop {
 public:
  Loop(RpcGateOptions options, RpcWorkerMain worker_main, int listening)
      : options_(std::move(options)),
        clients_(listening,
                 {.waiting = options_.waiting, .greeting = options_.greeting, .log = options_.log}),
        keeper_(RpcWorker(options_.server, std::move(worker_main)), options_.retried_exit_code,
                options_.log) {}
  ~Loop() {
    if (signals_ >= 0) ::close(signals_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::optional<int> run() {
    const sigset_t signals = followed_signals();
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signals_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    while (!has_signal_) {
      tend_worker();
      if (const auto exit_code = keeper_.final_exit_code()) return exit_code;
      poll_once();
    }
    return std::nullopt;
  }

 private:
  // Sockets are read and written without regard to the events: one without data returns at once.
  void poll_once() {
    std::vector<pollfd> waiting{{.fd = signals_, .events = POLLIN, .revents = 0}};
    clients_.add_events(waiting);
    if (relay_) relay_->add_events(waiting);
    ::poll(waiting.data(), waiting.size(), static_cast<int>(kLookInterval.count()));
    signalfd_siginfo about{};
    has_signal_ = ::read(signals_, &about, sizeof(about)) == sizeof(about);
    clients_.accept_all();
    clients_.receive_greetings();
    carry();
    admit();
  }

  // The first client that has sent its greeting, if the worker is free.
  void admit() {
    if (relay_ || !clients_.has_greeted()) return;
    const int worker = keeper_.connect();
    if (worker < 0) return;
    const auto next = clients_.take_greeted();
    relay_.emplace(next.socket, worker, next.greeting);
  }

  void carry() {
    if (!relay_) return;
    if (!relay_->carry()) return end_relay();
    const bool is_idle =
        options_.idle.count() > 0 && steady_clock::now() >= relay_->active() + options_.idle;
    if (!is_idle) return;
    log_to(options_.log, LogLevel::kWarning,
           "a client was closed that was idle for longer than --idle-timeout");
    end_relay();
  }

  void end_relay() {
    relay_.reset();
    limit_cache();
  }

  void tend_worker() {
    if (keeper_.reap()) relay_.reset();
    if (!keeper_.is_start_due()) return;
    limit_cache();
    keeper_.start();
  }

  // Only while no client makes the worker write there.
  void limit_cache() const {
    const std::string& folder = options_.server.cache;
    if (folder.empty() || relay_) return;
    const auto removed = limit_tensor_cache(folder, options_.cache_bytes);
    if (removed.count == 0) return;
    log_to(options_.log, LogLevel::kWarning,
           std::to_string(removed.count) + " tensors of " + std::to_string(removed.bytes) +
               " bytes were removed from " + folder +
               ", the oldest: it had more than --cache-limit");
  }

  const RpcGateOptions options_;
  ClientQueue clients_;
  WorkerKeeper keeper_;
  std::optional<RpcRelay> relay_;
  int signals_ = -1;  // a signalfd
  bool has_signal_ = false;
};

RpcGate::RpcGate(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
RpcGate::~RpcGate() = default;
RpcGate::RpcGate(RpcGate&&) noexcept = default;
RpcGate& RpcGate::operator=(RpcGate&&) noexcept = default;

Result<RpcGate> RpcGate::listen(RpcGateOptions options, RpcWorkerMain worker_main) {
  if (auto sensible = check(options.server); !sensible) return sensible.error();
  const auto socket = listening_socket(options.server.host, options.server.port);
  if (!socket) return socket.error();
  return RpcGate(std::make_unique<Loop>(std::move(options), std::move(worker_main), *socket));
}

std::optional<int> RpcGate::run() {
  return loop_->run();
}

}  // namespace rsd
