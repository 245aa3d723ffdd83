// The destination of the library's log lines. The library itself writes none.
#pragma once

#include <functional>
#include <string_view>

namespace rsd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
// An empty sink drops the lines.
using LogSink = std::function<void(LogLevel, std::string_view line)>;

}  // namespace rsd
