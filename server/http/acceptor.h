// Accepts connections from a listening socket, and goes on after temporary errors.
#pragma once

#include <chrono>
#include <functional>

#include "rsd/core/log.h"
#include "rsd/core/result.h"

namespace rsd::server {

struct AcceptorOptions {
  // As accept(2), without blocking: the connection, or -1 and errno.
  std::function<int(int listening)> accept;
  std::chrono::milliseconds first_pause{10};  // if the system has nothing left; doubled each time
  std::chrono::milliseconds longest_pause{1'000};
  LogSink log;  // called from the thread that runs; may be empty
};

// accept() can fail temporarily: the client has gone again, or the system has no files, buffers or
// memory left. In the latter case it logs that once and pauses before it goes on.
class Acceptor {
 public:
  explicit Acceptor(AcceptorOptions options);

  // Passes each connection to `take`, which owns it, until `stop` returns true; that is called
  // several times a second. kRuntime: the listening socket fails for good.
  Result<void> run(int listening, const std::function<bool()>& stop,
                   const std::function<void(int)>& take);

 private:
  void say(LogLevel level, const char* what, int error = 0) const noexcept;
  void pause_for(int error, const std::function<bool()>& stop);

  const AcceptorOptions options_;
  int pausing_for_ = 0;  // the error that was logged
  std::chrono::milliseconds pause_{0};
};

}  // namespace rsd::server
