// The log of `rsd serve`: for people, or a JSON object a line.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "server/http/access_log.h"

namespace rsd::cli {

enum class ServerLogFormat { kText, kJson };

// Logging never waits for the reader of standard error: lines go through a bounded queue to a
// thread that writes them. If the queue is full, the oldest lines are dropped, which the log
// reports as soon as lines are read again. At most one per process, whose whole log it takes over.
class ServerLog {
 public:
  // At the level `info` if --log-level isn't given.
  ServerLog(ServerLogFormat format, bool level_is_given);
  ~ServerLog();
  ServerLog(const ServerLog&) = delete;
  ServerLog& operator=(const ServerLog&) = delete;

  // Writes one line per call.
  server::AccessSink access_sink() const;
  // Lines since the start that were dropped. From any thread.
  std::size_t n_dropped() const;
  // Waits until all earlier lines are written. False: nobody reads standard error, and waiting for
  // the writing thread could take forever.
  bool flush(std::chrono::milliseconds limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd::cli
