#include "models/llama_log.h"

#include <string>
#include <utility>

namespace rsd {

LogSink llama_log(LogSink log) {
  if (!log) return {};
  return [log = std::move(log)](LogLevel level, std::string_view line) {
    const bool is_serious = level == LogLevel::kError || level == LogLevel::kWarning;
    log(is_serious ? LogLevel::kInfo : LogLevel::kDebug, "llama.cpp: " + std::string(line));
  };
}

}  // namespace rsd
