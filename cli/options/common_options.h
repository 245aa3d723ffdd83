// What every command takes, and the logger that comes of it.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"

namespace rsd::cli {

struct CommonOptions {
  int threads = 0;
  std::uint64_t seed = 1;
  std::string log_level = "warning";
};

// A command sets `run`; main calls it once everything is parsed. It gives the exit code.
struct Selected {
  std::string command_line;  // as it was typed, for reports
  CommonOptions common;
  std::function<int()> run;
};

// --threads, or one for each core.
int thread_count(const CommonOptions& options);

// Makes a subcommand with the common options shown in its help.
CLI::App* add_command(CLI::App& parent, Selected& selected, const std::string& name,
                      const std::string& description);

// Writes to the program's log, each line at its level.
LogSink log_sink();

// Sends the log to standard error, from `level` (a name of spdlog's) on.
void start_log(const std::string& level);
// llama.cpp's log into ours.
LogSink llama_log_sink();

// Logs the error and gives the exit code for it.
int fail(const Error& error);

}  // namespace rsd::cli
