#include "rpc/relay.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace rsd {
namespace {

constexpr std::size_t kBlock = std::size_t{256} * 1024;

bool may_pass(ssize_t n) {
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

}  // namespace

RpcRelay::RpcRelay(int client, int worker, const std::string& greeting)
    : client_(client), worker_(worker), active_(std::chrono::steady_clock::now()) {
  to_worker_.bytes.resize(std::max(kBlock, greeting.size()));
  to_client_.bytes.resize(kBlock);
  to_worker_.end = greeting.copy(to_worker_.bytes.data(), greeting.size());
}

RpcRelay::~RpcRelay() {
  ::close(client_);
  ::close(worker_);
}

// Reads only when everything was passed on, so that a slow end slows the other.
short RpcRelay::client_events() const noexcept {
  const bool reads = to_worker_.is_empty() && !to_worker_.is_over;
  return static_cast<short>((reads ? POLLIN : 0) | (to_client_.is_empty() ? 0 : POLLOUT));
}

short RpcRelay::worker_events() const noexcept {
  const bool reads = to_client_.is_empty() && !to_client_.is_over;
  return static_cast<short>((reads ? POLLIN : 0) | (to_worker_.is_empty() ? 0 : POLLOUT));
}

// A socket that nothing is wanted from would report its end again and again.
void RpcRelay::add_events(std::vector<pollfd>& waiting) const {
  for (const auto& [socket, events] :
       {std::pair(client_, client_events()), std::pair(worker_, worker_events())})
    waiting.push_back({.fd = events == 0 ? -1 : socket, .events = events, .revents = 0});
}

bool RpcRelay::read(int from, Way& way) {
  if (!way.is_empty() || way.is_over) return true;
  const ssize_t n = ::recv(from, way.bytes.data(), way.bytes.size(), MSG_DONTWAIT);
  if (may_pass(n)) return true;
  way.begin = 0;
  way.end = n > 0 ? static_cast<std::size_t>(n) : 0;
  way.is_over = n <= 0;
  if (n > 0) active_ = std::chrono::steady_clock::now();
  return n > 0;
}

bool RpcRelay::write(int to, Way& way) {
  while (!way.is_empty()) {
    const ssize_t n =
        ::send(to, way.bytes.data() + way.begin, way.end - way.begin, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (may_pass(n)) return true;
    if (n <= 0) return false;
    way.begin += static_cast<std::size_t>(n);
    active_ = std::chrono::steady_clock::now();
  }
  return true;
}

bool RpcRelay::carry() {
  const bool is_client_there = read(client_, to_worker_);
  const bool is_worker_there = read(worker_, to_client_);
  if (!write(worker_, to_worker_) || !write(client_, to_client_)) return false;
  if (!is_client_there || to_worker_.is_over) return false;  // nobody waits for the answer
  return is_worker_there || !to_client_.is_empty();
}

}  // namespace rsd
