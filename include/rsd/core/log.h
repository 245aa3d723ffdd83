// Where the library's log lines go: it writes none itself.
#pragma once

#include <functional>
#include <string_view>

namespace rsd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
// An empty sink drops what it is given.
using LogSink = std::function<void(LogLevel, std::string_view line)>;

}  // namespace rsd
