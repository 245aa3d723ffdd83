// The signals that a server follows.
#pragma once

#include <chrono>
#include <csignal>

namespace rsd::cli {

// SIGTERM and SIGINT stop it; SIGHUP has it read its credentials again, unless it comes from a
// terminal that is closed, which stops it, too.
enum class ServeSignal { kNone, kStop, kReread };

// Made before any other thread, so that none takes a signal but the one that waits for it.
class ServeSignals {
 public:
  ServeSignals();

  // kNone where none has come by then.
  ServeSignal wait_for(std::chrono::milliseconds time) const;

 private:
  sigset_t signals_{};
};

}  // namespace rsd::cli
