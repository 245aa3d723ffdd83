// Closes connections without losing what was sent last.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <thread>

#include "rsd/core/mutex.h"
#include "rsd/decode/position_scorer.h"
#include "server/http/wake_pipe.h"

namespace rsd::server {

// How long and how much is read from a client that goes on sending.
struct LingerLimits {
  std::chrono::milliseconds time{20'000};
  std::chrono::milliseconds silence{2'000};  // in which nothing comes
  std::size_t bytes = std::size_t{256} << 20U;
  std::size_t sockets = 256;  // at a time; beyond that the oldest are closed at once
};

// A socket that is closed while something is unread or still coming resets the connection, and the
// client may lose the response that says why. So its writing half is closed at once, what the
// client is still sending is taken and dropped by one thread for all, and the socket is closed when
// the client has closed its half or a limit is reached (RFC 9112, section 9.6). Thread-safe.
class LingeringClose {
 public:
  explicit LingeringClose(const LingerLimits& limits);
  // Closes what is left.
  ~LingeringClose();
  LingeringClose(const LingeringClose&) = delete;
  LingeringClose& operator=(const LingeringClose&) = delete;

  // The socket is this object's from here on. Doesn't block.
  void take(int socket) noexcept;
  // Waits until nothing is left, or until `limit`.
  void wait(Clock::time_point limit);

 private:
  struct Leaving {
    int socket;
    Clock::time_point until;
    Clock::time_point silent_until;
    std::size_t n_read = 0;
  };

  static void close_all(std::list<Leaving>& sockets) noexcept;

  void work();
  void poll_once();
  bool drain(Leaving& one, Clock::time_point now) const;
  bool is_over(const Leaving& one, Clock::time_point now) const;

  const LingerLimits limits_;
  const WakePipe wake_;
  std::list<Leaving> leaving_;  // the thread's

  Mutex mutex_;
  Condition idle_;
  std::list<Leaving> new_ RSD_GUARDED_BY(mutex_);
  std::size_t n_left_ RSD_GUARDED_BY(mutex_) = 0;
  bool stop_ RSD_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses what stands above
};

}  // namespace rsd::server
