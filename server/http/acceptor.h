// Takes connections from a listening socket, through whatever passes.
#pragma once

#include <chrono>
#include <functional>

#include "rsd/core/log.h"
#include "rsd/core/result.h"

namespace rsd::server {

struct AcceptorOptions {
  // As accept(2), without blocking: the connection, or -1 and errno.
  std::function<int(int listening)> accept;
  std::chrono::milliseconds first_pause{10};  // where the system has nothing left; doubled
  std::chrono::milliseconds longest_pause{1'000};
  LogSink log;  // called from the thread that runs; may be empty
};

// accept() fails for many reasons that pass: the client has gone again, the system is out of files,
// of buffers, of memory. Then it pauses, if that helps, says so once, and goes on.
class Acceptor {
 public:
  explicit Acceptor(AcceptorOptions options);

  // Gives each connection to `take`, which owns it; until `stop`, which is asked every now and
  // then. kRuntime: the listening socket is of no use any more.
  Result<void> run(int listening, const std::function<bool()>& stop,
                   const std::function<void(int)>& take);

 private:
  void say(LogLevel level, const char* what, int error = 0) const noexcept;
  void pause_for(int error, const std::function<bool()>& stop);

  const AcceptorOptions options_;
  int pausing_for_ = 0;  // the error that it has said
  std::chrono::milliseconds pause_{0};
};

}  // namespace rsd::server
