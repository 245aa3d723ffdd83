// llama.cpp's log lines beside our own. Internal.
#pragma once

#include "rsd/core/log.h"

namespace rsd {

// Passes on what llama.cpp logs, marked as its own. Its errors and warnings count as information:
// what matters of these reaches the user through our own errors.
LogSink llama_log(LogSink log);

}  // namespace rsd
