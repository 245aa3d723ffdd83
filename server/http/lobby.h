// Connections that wait without a thread of their own.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "rsd/core/mutex.h"
#include "rsd/decode/position_scorer.h"
#include "server/http/lingering_close.h"
#include "server/http/quota.h"
#include "server/http/socket.h"
#include "server/http/wake_pipe.h"

namespace rsd::server {

// A connection between its requests.
struct Visitor {
  explicit Visitor(Socket connection) : socket(std::move(connection)) {}

  Socket socket;
  std::string client;          // its address
  std::string bytes;           // of its next request, as many as have come
  bool head_is_whole = false;  // whose line and headers are all among them
  std::size_t n_requests = 0;  // that were answered
  Quota::Share place;          // of its client's, while it has one
  Clock::time_point since;     // when its request began; where none has, when it came in
};
using VisitorPtr = std::unique_ptr<Visitor>;

struct LobbyLimits {
  std::chrono::milliseconds silence{5'000};  // for a TLS handshake, then until the first request
  std::chrono::milliseconds keep_alive{75'000};  // until each other begins
  std::chrono::milliseconds head{20'000};        // for a request's line and headers to come
  std::size_t head_bytes = std::size_t{64} * 1024;
  std::size_t visitors = 512;  // beyond that the client with most of them loses its oldest
};

// New connections, idle ones, and those whose request's line and headers have not come whole are
// watched by one thread for all, so that however many are silent or slow, none holds a place.
class Lobby {
 public:
  // Where a visitor goes whose head has come (whole), or won't come whole any more (broken): it is
  // late or too long, or the server ends. Called from the lobby's thread; must not throw or block.
  struct Doors {
    std::function<void(VisitorPtr)> whole;
    std::function<void(VisitorPtr)> broken;
    // For the log: TLS with `client` failed. May be empty.
    std::function<void(const std::string& client, const std::string& why)> no_tls;
  };

  // `closing` gets those that leave without a request, and outlives it.
  Lobby(const LobbyLimits& limits, LingeringClose& closing, Doors doors);
  // end()s.
  ~Lobby();
  Lobby(const Lobby&) = delete;
  Lobby& operator=(const Lobby&) = delete;

  // From any thread.
  void enter(VisitorPtr visitor) noexcept;
  // Sends all visitors away; those that enter later leave at once.
  void end();

 private:
  enum class State { kWaiting, kWhole, kBroken, kLeaving };

  void work();
  bool take_in();
  void make_room();
  void poll_once();
  static bool receive(Visitor& visitor);
  State state_of(const Visitor& visitor, Clock::time_point now) const;
  Clock::time_point due(const Visitor& visitor) const;
  std::chrono::milliseconds time_to_wait() const;
  void show_out(VisitorPtr visitor, State state);
  void leave(Visitor& visitor) noexcept;

  const LobbyLimits limits_;
  LingeringClose& closing_;
  const Doors doors_;
  const WakePipe wake_;
  std::list<VisitorPtr> visitors_;  // the thread's, oldest first

  Mutex mutex_;
  std::list<VisitorPtr> new_ RSD_GUARDED_BY(mutex_);
  bool ended_ RSD_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses what stands above
};

}  // namespace rsd::server
