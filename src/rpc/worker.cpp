#include "rpc/worker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

namespace rsd {
namespace {

using std::chrono::steady_clock;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// ggml takes an address, and no socket. 0: there is no port.
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  const bool is_bound =
      socket >= 0 && ::bind(socket, raw, size) == 0 && ::getsockname(socket, raw, &size) == 0;
  if (socket >= 0) ::close(socket);
  return is_bound ? ntohs(address.sin_port) : std::uint16_t{0};
}

// Closes all files but the standard streams, and sends standard output to standard error.
void prepare_process() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // ggml logs who connects on stdout
}

// The child's whole life. It must not go on as a copy of its parent: an exception ends it, too.
[[noreturn]] void live_as_worker(const RpcWorkerMain& worker_main, const RpcServerOptions& options,
                                 pid_t parent) noexcept {
  prepare_process();
  if (::getppid() == parent) worker_main(options);  // else the parent ended before prctl
  while (true)
    ::kill(::getpid(), SIGKILL);
}

}  // namespace

RpcWorker::RpcWorker(RpcWorker&& other) noexcept
    : options_(std::move(other.options_)),
      worker_main_(std::move(other.worker_main_)),
      process_(std::exchange(other.process_, 0)),
      has_listened_(other.has_listened_),
      since_(other.since_) {}

RpcWorker::~RpcWorker() {
  if (!is_running()) return;
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<void> RpcWorker::start() {
  options_.host = "127.0.0.1";
  options_.port = free_port();
  if (options_.port == 0) return Error(ErrorCode::kRuntime, "no port of loopback is free");
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0) live_as_worker(worker_main_, options_, parent);
  if (process_ < 0) {
    const std::string why = std::generic_category().message(errno);
    process_ = 0;
    return Error(ErrorCode::kRuntime, "no process for ggml's RPC server: " + why);
  }
  has_listened_ = false;
  since_ = steady_clock::now();
  return {};
}

int RpcWorker::connect() {
  if (!is_running()) return -1;
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(options_.port);
  if (socket < 0) return -1;
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(socket);
    return -1;
  }
  has_listened_ = true;
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
  return socket;
}

std::optional<RpcWorker::End> RpcWorker::reap() {
  int status = 0;
  if (!is_running() || ::waitpid(process_, &status, WNOHANG) != process_) return std::nullopt;
  process_ = 0;
  End end{
      .exit_code = std::nullopt,
      .how = "",
      .has_listened = has_listened_,
      .lived = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - since_)};
  if (WIFEXITED(status)) {
    end.exit_code = WEXITSTATUS(status);
    end.how = "exit code " + std::to_string(WEXITSTATUS(status));
  } else {
    end.how = "signal " + std::to_string(WTERMSIG(status));
    if (const char* name = sigdescr_np(WTERMSIG(status))) end.how += std::string(", ") + name;
  }
  return end;
}

}  // namespace rsd
