#include "connection.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace rsd::server {
namespace {

constexpr std::size_t kBlock = std::size_t{16} * 1024;
constexpr std::size_t kHeadBytes = std::size_t{64} * 1024;  // of a request's line and headers
constexpr std::chrono::milliseconds kLookInterval{50};

thread_local Connection* t_current = nullptr;

// `ask` tells one end's address: getpeername or getsockname.
template <class Ask>
void tell_address(Ask ask, int socket, std::string& ip, int& port) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (ask(socket, raw, &length) != 0 ||
      ::getnameinfo(raw, length, host.data(), host.size(), service.data(), service.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return;
  }
  ip = host.data();
  port = static_cast<int>(std::strtol(service.data(), nullptr, 10));
}

}  // namespace

Connection::Connection(int socket, const ConnectionLimits& limits, const Ending& ending)
    : socket_(socket), limits_(limits), ending_(ending), in_(kBlock) {
  t_current = this;
}

Connection::~Connection() {
  t_current = nullptr;
  ::shutdown(socket_, SHUT_WR);
  if (closes_) linger();
  ::close(socket_);
}

Connection* Connection::current() noexcept {
  return t_current;
}

// A socket that is closed with something unread resets the connection, and the client may lose the
// response that says why: what it is still sending is taken, for a while.
void Connection::linger() {
  constexpr std::chrono::seconds kLonger{1};
  constexpr std::size_t kMost = 1u << 20;
  const auto until = Clock::now() + kLonger;
  for (std::size_t n_read = 0; n_read < kMost && wait_for(POLLIN, until);) {
    const ssize_t n = ::recv(socket_, in_.data(), in_.size(), MSG_DONTWAIT);
    if (n <= 0) return;
    n_read += static_cast<std::size_t>(n);
  }
}

bool Connection::wait_for_request(const std::function<bool()>& stop) {
  const auto until = Clock::now() + limits_.keep_alive;
  while (in_begin_ == in_end_) {
    const auto now = Clock::now();
    if (!wait_for(POLLIN, std::min(until, now + kLookInterval))) {
      if (now >= until || stop()) return false;
      continue;
    }
    char first = 0;  // a client may have ended its writing behind a request
    return ::recv(socket_, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }
  return true;
}

void Connection::begin_request() {
  read_until_ = Clock::now() + limits_.request;
  n_taken_ = 0;
  head_.clear();
  head_is_whole_ = false;
}

bool Connection::wait_for(short events, Clock::time_point until) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd waiting{.fd = socket_, .events = events, .revents = 0};
    const int n = ::poll(&waiting, 1, static_cast<int>(std::clamp<long>(left, 0, 60'000)));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
    if (Clock::now() >= until) return false;
  }
}

bool Connection::hung_up() const {
  pollfd state{.fd = socket_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool Connection::is_readable() const {
  return in_begin_ < in_end_ || wait_for_more();
}

bool Connection::wait_for_more() const {
  while (!ending_.has_begun) {
    const auto now = Clock::now();
    if (wait_for(POLLIN, std::min(read_until_, now + kLookInterval))) return true;
    if (now >= read_until_) return false;
  }
  return wait_for(POLLIN, Clock::now());  // what is there already
}

// The end may begin, or come nearer, while it waits.
bool Connection::wait_for_room(Clock::time_point until) const {
  while (true) {
    const auto now = Clock::now();
    const auto end = std::min(until, ending_.limit.load());
    if (wait_for(POLLOUT, std::min(end, now + kLookInterval))) return true;
    if (now >= end) return false;
  }
}

bool Connection::is_writable() const {
  return !hung_up();
}

ssize_t Connection::receive() {
  if (!wait_for_more()) {
    over_time_ = closes_ = true;
    return -1;
  }
  const ssize_t n = ::recv(socket_, in_.data(), in_.size(), MSG_DONTWAIT);
  in_begin_ = 0;
  in_end_ = n > 0 ? static_cast<std::size_t>(n) : 0;
  if (n <= 0) closes_ = true;
  return n;
}

bool Connection::has_room() {
  over_head_ = !head_is_whole_ && head_.size() >= kHeadBytes;
  over_length_ = n_taken_ >= kHeadBytes + limits_.max_body_bytes;
  closes_ = closes_ || over_head_ || over_length_;
  return !over_head_ && !over_length_;
}

// The head ends where httplib sees its end: with an empty line, whatever ended the line above it.
void Connection::note(std::string_view bytes) {
  n_taken_ += bytes.size();
  for (std::size_t i = 0; i < bytes.size() && !head_is_whole_; ++i) {
    head_ += bytes[i];
    head_is_whole_ = head_.ends_with("\n\r\n");
  }
}

ssize_t Connection::read(char* ptr, size_t size) {
  if (!out_.empty() && !flush()) return -1;  // "100 Continue" is waited for
  if (!has_room()) return -1;
  if (in_begin_ == in_end_) {
    if (const ssize_t n = receive(); n <= 0) return n;
  }
  const std::size_t n = std::min(size, in_end_ - in_begin_);
  std::memcpy(ptr, in_.data() + in_begin_, n);
  in_begin_ += n;
  note({ptr, n});
  return static_cast<ssize_t>(n);
}

ssize_t Connection::write(const char* ptr, size_t size) {
  out_.append(ptr, size);
  return static_cast<ssize_t>(size);
}

bool Connection::flush() {
  const auto until = Clock::now() + limits_.response;
  std::size_t n_sent = 0;
  while (n_sent < out_.size()) {
    const ssize_t n =
        ::send(socket_, out_.data() + n_sent, out_.size() - n_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      n_sent += static_cast<std::size_t>(n);
    } else if ((errno != EAGAIN && errno != EINTR) || !wait_for_room(until)) {
      break;
    }
  }
  const bool all = n_sent == out_.size();
  out_.clear();
  return all;
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  tell_address(::getpeername, socket_, ip, port);
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  tell_address(::getsockname, socket_, ip, port);
}

}  // namespace rsd::server
