#include "rpc/client_queue.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "rsd/core/log_to.h"

namespace rsd {
namespace {

using std::chrono::steady_clock;

void warn(const LogSink& log, const std::string& line) {
  log_to(log, LogLevel::kWarning, line);
}

}  // namespace

ClientQueue::ClientQueue(int listening, Limits limits)
    : listening_(listening), limits_(std::move(limits)) {}

ClientQueue::~ClientQueue() {
  for (const Client& client : clients_)
    ::close(client.socket);
  ::close(listening_);
}

// A descriptor of -1 is passed over. Poll would return at once, again and again, for a listening
// socket whose clients can't be accepted, and for a client that closed one direction after its
// greeting: both wait for the next look.
void ClientQueue::add_events(std::vector<pollfd>& waiting) const {
  waiting.push_back({.fd = accepts_ ? listening_ : -1, .events = POLLIN, .revents = 0});
  for (const Client& client : clients_)
    waiting.push_back(
        {.fd = client.is_greeted() ? -1 : client.socket, .events = POLLIN, .revents = 0});
}

void ClientQueue::accept_all() {
  while (true) {
    const int socket = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      accepts_ = true;
      add(socket);
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    const bool there_is_none = errno == EAGAIN || errno == EWOULDBLOCK;
    if (!there_is_none && accepts_)
      warn(limits_.log, "no client can be accepted: " + std::generic_category().message(errno));
    accepts_ = there_is_none;
    return;
  }
}

void ClientQueue::add(int socket) {
  if (clients_.size() >= limits_.waiting) {
    warn(limits_.log,
         "a client was turned away: " + std::to_string(clients_.size()) + " are waiting");
    ::close(socket);
    return;
  }
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
  clients_.push_back({.socket = socket, .since = steady_clock::now(), .greeting = {}});
}

// False: it has gone. A client that has sent its greeting sends nothing until it is answered.
bool ClientQueue::receive(Client& client) {
  std::array<char, kGreetingBytes> bytes{};
  const std::size_t wanted = kGreetingBytes - client.greeting.size();
  const ssize_t n = wanted == 0 ? ::recv(client.socket, bytes.data(), 1, MSG_PEEK | MSG_DONTWAIT)
                                : ::recv(client.socket, bytes.data(), wanted, MSG_DONTWAIT);
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  if (wanted > 0) client.greeting.append(bytes.data(), static_cast<std::size_t>(n));
  return true;
}

void ClientQueue::receive_greetings() {
  const auto now = steady_clock::now();
  std::erase_if(clients_, [&](Client& client) {
    const bool is_there = receive(client);
    const bool is_late = !client.is_greeted() && now >= client.since + limits_.greeting;
    if (is_there && !is_late) return false;
    if (is_there) warn(limits_.log, "a client was closed that sent no greeting");
    ::close(client.socket);
    return true;
  });
}

bool ClientQueue::has_greeted() const {
  return std::ranges::any_of(clients_, &Client::is_greeted);
}

ClientQueue::Greeted ClientQueue::take_greeted() {
  const auto next = std::ranges::find_if(clients_, &Client::is_greeted);
  Greeted taken{.socket = next->socket, .greeting = std::move(next->greeting)};
  clients_.erase(next);
  return taken;
}

}  // namespace rsd
