#include "commands/rpc_gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "commands/tensor_cache.h"

namespace rsd::cli {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Of ggml's first message: the number of the command, the size of what follows, and what follows.
constexpr std::size_t kGreetingBytes = 1 + 8 + 24;
constexpr std::chrono::milliseconds kLookInterval = 50ms;
constexpr std::chrono::milliseconds kFirstPause = 100ms;
constexpr std::chrono::milliseconds kLongestPause = 10s;
constexpr std::chrono::milliseconds kLongLife = 30s;  // after which it starts without a pause again
constexpr int kStarts = 3;  // of a worker that never listens: its port may have been taken

sigset_t followed_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT})
    sigaddset(&signals, signal);
  return signals;
}

std::string text_of(int error) {
  return std::generic_category().message(error);
}

}  // namespace

RpcGate::RpcGate(RpcGateOptions options, RpcWorker& worker)
    : options_(std::move(options)), worker_(worker), pause_(kFirstPause) {}

RpcGate::~RpcGate() {
  for (const Client& client : clients_)
    ::close(client.socket);
  if (listening_ >= 0) ::close(listening_);
  if (signals_ >= 0) ::close(signals_);
}

Result<void> RpcGate::listen() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options_.port);
  if (::inet_pton(AF_INET, options_.host.c_str(), &address.sin_addr) != 1) {
    return Error(ErrorCode::kInvalidArgument, "host '" + options_.host + "' is no IPv4 address");
  }
  constexpr int kBacklog = 128;
  const int yes = 1;
  listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ::setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listening_, kBacklog) != 0) {
    return Error(ErrorCode::kRuntime, "can't listen on " + options_.host + ":" +
                                          std::to_string(options_.port) + ": " + text_of(errno));
  }
  return {};
}

ExitCode RpcGate::run() {
  const sigset_t signals = followed_signals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signals_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  limit_cache();
  while (!end_) {
    tend_worker();
    if (!end_) poll_once();
  }
  worker_.stop();
  return *end_;
}

// The events of what is polled are asked for again where they are used: a socket that has nothing
// to give says so.
void RpcGate::poll_once() {
  std::vector<pollfd> waiting{{.fd = signals_, .events = POLLIN, .revents = 0},
                              {.fd = listening_, .events = POLLIN, .revents = 0}};
  for (const Client& client : clients_) {
    const short events = client.greeting.size() < kGreetingBytes ? POLLIN : POLLRDHUP;
    waiting.push_back({.fd = client.socket, .events = events, .revents = 0});
  }
  if (relay_) {
    // A socket of which nothing is wanted would tell of its end again and again.
    for (const auto& [socket, events] : {std::pair(relay_->client(), relay_->client_events()),
                                         std::pair(relay_->worker(), relay_->worker_events())})
      waiting.push_back({.fd = events == 0 ? -1 : socket, .events = events, .revents = 0});
  }
  ::poll(waiting.data(), waiting.size(), static_cast<int>(kLookInterval.count()));
  follow_signals();
  accept_all();
  attend_clients();
  carry();
  admit();
}

void RpcGate::follow_signals() {
  signalfd_siginfo about{};
  if (::read(signals_, &about, sizeof(about)) == sizeof(about)) end_ = kSuccess;
}

void RpcGate::accept_all() {
  while (true) {
    const int socket = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) return;  // there is none, or the next look may get it
    if (clients_.size() >= options_.waiting) {
      spdlog::warn("a client was turned away: {} are waiting", clients_.size());
      ::close(socket);
      continue;
    }
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    clients_.push_back({.socket = socket, .since = steady_clock::now(), .greeting = {}});
  }
}

// False: it has gone. One that is greeted has nothing to send until it is answered.
bool RpcGate::receive(Client& client) const {
  std::array<char, kGreetingBytes> bytes{};
  const std::size_t wanted = kGreetingBytes - client.greeting.size();
  const ssize_t n = wanted == 0 ? ::recv(client.socket, bytes.data(), 1, MSG_PEEK | MSG_DONTWAIT)
                                : ::recv(client.socket, bytes.data(), wanted, MSG_DONTWAIT);
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  if (wanted > 0) client.greeting.append(bytes.data(), static_cast<std::size_t>(n));
  return true;
}

void RpcGate::attend_clients() {
  const auto now = steady_clock::now();
  std::erase_if(clients_, [&](Client& client) {
    const bool is_there = receive(client);
    const bool is_late =
        client.greeting.size() < kGreetingBytes && now >= client.since + options_.greeting;
    if (is_there && !is_late) return false;
    if (is_there) spdlog::warn("a client was given up that sent no greeting");
    ::close(client.socket);
    return true;
  });
}

// The first that is greeted, once the worker is free.
void RpcGate::admit() {
  const auto next = std::ranges::find_if(
      clients_, [](const Client& client) { return client.greeting.size() == kGreetingBytes; });
  if (relay_ || next == clients_.end()) return;
  const int worker = worker_.connect();
  if (worker < 0) return;
  relay_.emplace(next->socket, worker, next->greeting);
  clients_.erase(next);
}

void RpcGate::carry() {
  if (!relay_) return;
  if (!relay_->carry()) return end_relay("");
  const bool is_idle =
      options_.idle.count() > 0 && steady_clock::now() >= relay_->active() + options_.idle;
  if (is_idle) end_relay("a client was given up that was idle for longer than --idle-timeout");
}

void RpcGate::end_relay(const char* why) {
  if (*why != '\0') spdlog::warn("{}", why);
  relay_.reset();
  limit_cache();
}

void RpcGate::tend_worker() {
  if (const auto end = worker_.reap()) {
    relay_.reset();
    if (end->lived >= kLongLife) {
      pause_ = kFirstPause;
      failed_starts_ = 0;
    }
    const bool has_failed_to_start = end->exit_code && !end->has_listened;
    if (has_failed_to_start) {
      ++failed_starts_;
      end_ = static_cast<ExitCode>(*end->exit_code);
      if (*end_ != kRuntimeFailure || failed_starts_ == kStarts) return;
      end_.reset();
    }
    spdlog::warn("the worker has ended ({}); another starts in {} ms", end->how, pause_.count());
    start_at_ = steady_clock::now() + pause_;
    pause_ = std::min(2 * pause_, kLongestPause);
  }
  if (!worker_.is_running() && steady_clock::now() >= start_at_) start_worker();
}

void RpcGate::start_worker() {
  limit_cache();
  const auto started = worker_.start();
  if (started) return;
  spdlog::warn("{}; tried again in {} ms", started.error().message(), pause_.count());
  start_at_ = steady_clock::now() + pause_;
  pause_ = std::min(2 * pause_, kLongestPause);
}

// While no client makes the worker write there.
void RpcGate::limit_cache() const {
  if (options_.cache.empty() || relay_) return;
  const auto removed = limit_tensor_cache(options_.cache, options_.cache_bytes);
  if (removed.count > 0) {
    spdlog::warn(
        "{} tensors of {} bytes were removed from {}, the oldest: it had more than "
        "--cache-limit",
        removed.count, removed.bytes, options_.cache);
  }
}

}  // namespace rsd::cli
