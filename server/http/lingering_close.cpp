#include "server/http/lingering_close.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <vector>

#include "server/http/look_interval.h"

namespace rsd::server {
namespace {

constexpr std::size_t kDropBlock = std::size_t{64} * 1024;
constexpr int kBlocksPerTurn = 16;  // so that one that sends fast doesn't hold the others up

// Has the client closed its half, with nothing in front of it that is unread?
bool has_ended(int socket) noexcept {
  char first = 0;
  const ssize_t n = ::recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

}  // namespace

LingeringClose::LingeringClose(const LingerLimits& limits) : limits_(limits) {
  thread_ = std::thread([this] { work(); });
}

LingeringClose::~LingeringClose() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  wake_.wake();
  thread_.join();
  close_all(leaving_);
  close_all(new_);
}

void LingeringClose::close_all(std::list<Leaving>& sockets) noexcept {
  for (const Leaving& one : sockets)
    ::close(one.socket);
  sockets.clear();
}

void LingeringClose::take(int socket) noexcept {
  ::shutdown(socket, SHUT_WR);
  if (has_ended(socket)) {
    ::close(socket);
    return;
  }
  try {
    const auto now = Clock::now();
    const MutexLock lock(mutex_);
    new_.push_back(
        {.socket = socket, .until = now + limits_.time, .silent_until = now + limits_.silence});
    ++n_left_;
  } catch (const std::exception&) {  // no memory
    ::close(socket);
    return;
  }
  wake_.wake();
}

void LingeringClose::wait(Clock::time_point limit) {
  const MutexLock lock(mutex_);
  while (n_left_ != 0)
    if (!idle_.wait_until(mutex_, limit)) return;
}

void LingeringClose::work() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (stop_) return;
      leaving_.splice(leaving_.end(), new_);
    }
    while (leaving_.size() > limits_.sockets) {
      ::close(leaving_.front().socket);
      leaving_.pop_front();
    }
    try {
      poll_once();
    } catch (const std::exception&) {  // no memory: nobody is waited for
      close_all(leaving_);
    }
    const MutexLock lock(mutex_);
    n_left_ = leaving_.size() + new_.size();
    if (n_left_ == 0) idle_.notify_all();
  }
}

void LingeringClose::poll_once() {
  std::vector<pollfd> waiting{{.fd = wake_.reader(), .events = POLLIN, .revents = 0}};
  for (const Leaving& one : leaving_)
    waiting.push_back({.fd = one.socket, .events = POLLIN, .revents = 0});
  constexpr int kForever = -1;
  const bool may_sleep = leaving_.empty() && wake_.reader() >= 0;
  ::poll(waiting.data(), waiting.size(),
         may_sleep ? kForever : static_cast<int>(kLookInterval.count()));
  wake_.clear();
  const auto now = Clock::now();
  std::size_t i = 1;
  for (auto one = leaving_.begin(); one != leaving_.end(); ++i) {
    const bool done = (waiting[i].revents != 0 && !drain(*one, now)) || is_over(*one, now);
    if (done) ::close(one->socket);
    one = done ? leaving_.erase(one) : std::next(one);
  }
}

// False: the client has closed its half.
bool LingeringClose::drain(Leaving& one, Clock::time_point now) const {
  std::vector<char> block(kDropBlock);
  for (int turn = 0; turn < kBlocksPerTurn; ++turn) {
    const ssize_t n = ::recv(one.socket, block.data(), block.size(), MSG_DONTWAIT);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    one.n_read += static_cast<std::size_t>(n);
    one.silent_until = now + limits_.silence;
  }
  return true;
}

bool LingeringClose::is_over(const Leaving& one, Clock::time_point now) const {
  return now >= one.until || now >= one.silent_until || one.n_read >= limits_.bytes;
}

}  // namespace rsd::server
