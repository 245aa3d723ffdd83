#include "server/http/connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "server/http/client_address.h"
#include "server/http/look_interval.h"
#include "server/http/request_head.h"

namespace rsd::server {
namespace {

constexpr std::size_t kReadBlock = std::size_t{16} * 1024;
constexpr std::size_t kHeadBytes = std::size_t{64} * 1024;  // of a request's line and headers

thread_local Connection* t_current = nullptr;

}  // namespace

Connection::Connection(VisitorPtr visitor, const ConnectionLimits& limits, Room room,
                       const Surroundings& around)
    : visitor_(std::move(visitor)),
      socket_(&visitor_->socket),
      descriptor_(socket_->descriptor()),
      limits_(limits),
      room_(room),
      around_(around),
      begin_(visitor_->since),
      in_(visitor_->bytes.begin(), visitor_->bytes.end()),
      in_end_(in_.size()) {
  in_.resize(std::max(in_.size(), kReadBlock));
  t_current = this;
}

Connection::~Connection() {
  t_current = nullptr;
  give_back();
  if (visitor_) around_.closing.take(socket_->release());
}

Connection* Connection::current() noexcept {
  return t_current;
}

// Before the client can see that the connection is free.
void Connection::give_back() noexcept {
  kept_.clear();
  if (visitor_) visitor_->place.reset();
}

VisitorPtr Connection::leave() {
  give_back();
  visitor_->bytes = arrived();
  visitor_->head_is_whole = false;
  ++visitor_->n_requests;
  return std::move(visitor_);
}

bool Connection::wait_for(short events, Clock::time_point until) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd waiting{.fd = descriptor_, .events = events, .revents = 0};
    const int n = ::poll(&waiting, 1, static_cast<int>(std::clamp<long>(left, 0, 60'000)));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
    if (Clock::now() >= until) return false;
  }
}

bool Connection::hung_up() const {
  pollfd state{.fd = descriptor_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool Connection::is_readable() const {
  return plain_begin_ < plain_.size() || in_begin_ < in_end_ || wait_for_more();
}

// Slow clients are given up only if others wait for their place.
bool Connection::is_too_slow(std::size_t n_bytes, Clock::time_point since) const {
  const auto time = Clock::now() - since;
  if (time < limits_.slow_start || !around_.others_wait()) return false;
  const double seconds = std::chrono::duration<double>(time).count();
  return static_cast<double>(n_bytes) < limits_.bytes_per_s * seconds;
}

bool Connection::wait_for_more() const {
  if (socket_->has_unread()) return true;
  const auto until = begin_ + limits_.request;
  while (!around_.ending.has_begun) {
    const auto now = Clock::now();
    if (wait_for(socket_->events_to_receive(), std::min(until, now + kLookInterval))) return true;
    if (now >= until || is_too_slow(n_taken_, begin_)) return false;
  }
  return wait_for(socket_->events_to_receive(), Clock::now());  // what is there already
}

// The end may begin, or come nearer, while it waits.
bool Connection::wait_for_room(std::size_t n_sent, Clock::time_point since) const {
  while (true) {
    const auto now = Clock::now();
    const auto end = std::min(since + limits_.response, around_.ending.limit.load());
    if (wait_for(socket_->events_to_send(), std::min(end, now + kLookInterval))) return true;
    if (now >= end || is_too_slow(n_sent, since)) return false;
  }
}

bool Connection::is_writable() const {
  return !hung_up();
}

// The bytes that have come over TLS may be too few to decrypt.
ssize_t Connection::receive() {
  ssize_t n = -1;
  do {
    if (!wait_for_more()) {
      over_end_ = around_.ending.has_begun && Clock::now() < begin_ + limits_.request;
      over_time_ = !over_end_;
      closes_ = true;
      return -1;
    }
    n = socket_->receive(in_.data(), in_.size());
  } while (n < 0 && (errno == EAGAIN || errno == EINTR));
  in_begin_ = 0;
  in_end_ = n > 0 ? static_cast<std::size_t>(n) : 0;
  if (n <= 0) closes_ = true;
  return n;
}

bool Connection::has_room() {
  over_head_ = !head_is_whole_ && n_taken_ >= kHeadBytes;
  over_length_ = n_taken_ >= kHeadBytes + limits_.max_body_bytes;
  closes_ = closes_ || over_head_ || over_length_;
  return !over_head_ && !over_length_;
}

// Receives, if nothing that has arrived is left; returns as recv(2).
ssize_t Connection::fill() {
  if (!has_room()) return -1;
  return in_begin_ < in_end_ ? 1 : receive();
}

std::string_view Connection::arrived() const noexcept {
  return {in_.data() + in_begin_, in_end_ - in_begin_};
}

// The head ends where httplib sees its end: with an empty line, whatever ended the line above it.
// Empty lines in front of it are no part of it (RFC 9112, section 2.2).
void Connection::take_head() {
  for (; in_begin_ < in_end_ && !head_is_whole_; ++in_begin_, ++n_taken_) {
    const char c = in_[in_begin_];
    if (head_.empty() && (c == '\r' || c == '\n')) continue;
    head_ += c;
    head_is_whole_ = head_.ends_with("\n\r\n");
    if (n_taken_ >= kHeadBytes) return;
  }
}

// If a head doesn't come whole, httplib gets its first line, so that it answers; if nothing came,
// it gets nothing.
void Connection::read_head() {
  head_is_read_ = true;
  while (!head_is_whole_ && fill() > 0)
    take_head();
  if (head_is_whole_) {
    plain_ = plain_head(head_);
    if (is_chunked(head_)) chunks_.emplace();
  } else if (!head_.empty()) {
    constexpr std::size_t kShownBytes = 1000;
    plain_ = head_.substr(0, std::min(head_.find_first_of("\r\n"), kShownBytes)) + "\r\n";
  }
}

// Refills plain_, of which nothing is left.
ssize_t Connection::read_chunks() {
  if (chunks_->is_whole()) return 0;
  plain_.clear();
  plain_begin_ = 0;
  while (plain_.empty() && !chunks_->is_broken()) {
    if (const ssize_t n = fill(); n <= 0) return n;
    const std::size_t n = chunks_->take(arrived(), plain_);
    in_begin_ += n;
    n_taken_ += n;
  }
  return plain_.empty() ? -1 : 1;
}

ssize_t Connection::read_body(char* ptr, std::size_t size) {
  if (const ssize_t n = fill(); n <= 0) return n;
  const std::size_t n = arrived().copy(ptr, size);
  in_begin_ += n;
  n_taken_ += n;
  return static_cast<ssize_t>(n);
}

ssize_t Connection::read(char* ptr, size_t size) {
  if (!out_.empty() && !flush()) return -1;  // "100 Continue" is waited for
  if (!head_is_read_) read_head();
  if (plain_begin_ == plain_.size()) {
    if (!head_is_whole_) return -1;
    if (!chunks_) return read_body(ptr, size);
    if (const ssize_t n = read_chunks(); n <= 0) return n;
  }
  const std::size_t n = plain_.copy(ptr, size, plain_begin_);
  plain_begin_ += n;
  return static_cast<ssize_t>(n);
}

ssize_t Connection::write(const char* ptr, size_t size) {
  out_.append(ptr, size);
  return static_cast<ssize_t>(size);
}

bool Connection::flush() {
  const auto since = Clock::now();
  std::size_t n_sent = 0;
  while (n_sent < out_.size()) {
    const ssize_t n = socket_->send(out_.data() + n_sent, out_.size() - n_sent);
    if (n > 0) {
      has_sent_ = true;
      n_sent += static_cast<std::size_t>(n);
    } else if ((errno != EAGAIN && errno != EINTR) || !wait_for_room(n_sent, since)) {
      break;
    }
  }
  const bool all = n_sent == out_.size();
  out_.clear();
  return all;
}

void Connection::refuse_for_memory() noexcept {
  constexpr std::string_view kResponse =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
      "Content-Length: 0\r\n\r\n";
  if (has_sent_) return;
  out_ = std::string();
  socket_->send(kResponse.data(), kResponse.size());
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  auto peer = peer_of(descriptor_);
  ip = std::move(peer.ip);
  port = peer.port;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  auto own = own_of(descriptor_);
  ip = std::move(own.ip);
  port = own.port;
}

}  // namespace rsd::server
