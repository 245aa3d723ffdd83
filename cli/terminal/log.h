// The log of the program, on standard error.
#pragma once

#include <string>

#include "rsd/core/log.h"
#include "rsd/core/result.h"

namespace rsd::cli {

// From `level` (a name of spdlog's) on.
void start_log(const std::string& level);

// Writes to the log, each line at its level.
LogSink log_sink();
// Writes llama.cpp's log to it.
LogSink llama_log_sink();

// Logs the error and returns its exit code.
int fail(const Error& error);

}  // namespace rsd::cli
