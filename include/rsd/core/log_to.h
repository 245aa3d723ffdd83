// Writes a line to a LogSink, which may be empty.
#pragma once

#include <string_view>

#include "rsd/core/log.h"

namespace rsd {

inline void log_to(const LogSink& sink, LogLevel level, std::string_view line) {
  if (sink) sink(level, line);
}

}  // namespace rsd
