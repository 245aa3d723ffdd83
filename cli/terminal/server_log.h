// The log of `rsd serve`: for people, or a JSON object a line.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "server/access_log.h"

namespace rsd::cli {

enum class ServerLogFormat { kText, kJson };

// Nobody who logs waits for whoever reads standard error: lines go through a bounded queue to a
// thread that writes them. When it is full the oldest are dropped, which the log reports as soon
// as lines are taken again. One a process: everything that it logs goes that way from then on.
class ServerLog {
 public:
  // At the level `info` unless a level was asked for.
  ServerLog(ServerLogFormat format, bool level_is_given);
  ~ServerLog();
  ServerLog(const ServerLog&) = delete;
  ServerLog& operator=(const ServerLog&) = delete;

  // Writes a line a call.
  server::AccessSink access_sink() const;
  // Lines since the start that were dropped. From any thread.
  std::size_t n_dropped() const;
  // Waits until everything that was logged before is written. False: standard error takes nothing,
  // and the thread that writes can't be waited for any more.
  bool flush(std::chrono::milliseconds limit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd::cli
