// The options that every command has, and the log of the program.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "terminal/exit_code.h"

namespace rsd::cli {

struct CommonOptions {
  int threads = 0;
  std::uint64_t seed = 1;
  std::string log_level = "warning";
};

// The chosen command sets `run`, which main() calls after parsing. It returns the exit code.
struct Selected {
  std::string command_line;  // as it was typed, for reports
  CommonOptions common;
  std::function<int()> run;
};

// Returns --threads, or the number of cores if it is 0.
int thread_count(const CommonOptions& options);

// Makes a subcommand with the common options shown in its help.
CLI::App* add_command(CLI::App& parent, Selected& selected, const std::string& name,
                      const std::string& description);

// Makes main() call `run` if this command is chosen. An error is logged and becomes an exit code.
void set_run(CLI::App& command, Selected& selected, std::function<Result<ExitCode>()> run);

// Writes to the program's log, each line at its level.
LogSink log_sink();

// Sends the log to standard error, from `level` (a name of spdlog's) on.
void start_log(const std::string& level);
// Writes llama.cpp's log to the program's log.
LogSink llama_log_sink();

// Logs the error and returns its exit code.
int fail(const Error& error);

}  // namespace rsd::cli
