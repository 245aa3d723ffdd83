// Which LLM a program asks for, checked and copied.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "bindings/c/rsd.h"
#include "rsd/core/log.h"
#include "rsd/core/mutex.h"
#include "rsd/core/result.h"
#include "rsd/ranker/engine_options.h"

namespace rsd::bindings {

// A program's log function, which is no longer called once it is detached: the library's log has
// one sink for the whole process, which outlives rankers.
class LogTarget {
 public:
  LogTarget(rsd_log_function* function, void* data) : function_(function), data_(data) {}

  void write(LogLevel level, std::string_view line);
  // Waits for a call that is running.
  void detach();

 private:
  Mutex mutex_;
  rsd_log_function* function_ RSD_GUARDED_BY(mutex_);
  void* data_ RSD_GUARDED_BY(mutex_);
};

struct GivenEngine {
  EngineOptions options{};
  std::optional<std::chrono::milliseconds> longest_pass{};  // QueueOptions::longest_pass
  std::shared_ptr<LogTarget> log{};                         // null: none
};

// NULL: the defaults. kInvalidArgument.
Result<GivenEngine> given_engine(const rsd_engine_options* options);

}  // namespace rsd::bindings
