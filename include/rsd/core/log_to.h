// A line into a LogSink, which may be empty. Internal.
#pragma once

#include <string_view>

#include "rsd/core/log.h"

namespace rsd {

inline void log_to(const LogSink& sink, LogLevel level, std::string_view line) {
  if (sink) sink(level, line);
}

}  // namespace rsd
