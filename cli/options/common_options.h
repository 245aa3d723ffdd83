// The options that every command has.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "rsd/core/result.h"
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

// Prints a result of a command on standard error, at every log level but off.
void print_note(const CommonOptions& common, const std::string& text);

// Makes a subcommand with the common options shown in its help.
CLI::App* add_command(CLI::App& parent, Selected& selected, const std::string& name,
                      const std::string& description);

// Makes main() call `run` if this command is chosen. An error is logged and becomes an exit code.
void set_run(CLI::App& command, Selected& selected, std::function<Result<ExitCode>()> run);

}  // namespace rsd::cli
