#include "options/common_options.h"

#include <iostream>
#include <limits>
#include <string>
#include <utility>

#include "options/flags.h"
#include "terminal/exit_code.h"
#include "terminal/help.h"
#include "terminal/log.h"

namespace rsd::cli {

void print_note(const CommonOptions& common, const std::string& text) {
  if (common.log_level != "off") std::cerr << "rsd: " << text << '\n';
}

CLI::App* add_command(CLI::App& parent, Selected& selected, const std::string& name,
                      const std::string& description) {
  CLI::App* command = parent.add_subcommand(name, description);
  CommonOptions& common = selected.common;
  const std::string group = kCommonGroup;
  command->get_help_ptr()->group(group);
  Flags flags(*command, group);
  flags.add({"-t,--threads", "N", "Threads of the LLM; 0 = one per core"}, common.threads,
            whole_number(0, 512));
  flags.add({"--seed", "N", "Seed of everything random"}, common.seed,
            whole_number(0, std::numeric_limits<std::uint64_t>::max()));
  flags.add({"--log-level", "LEVEL",
             "What is logged to standard error: trace, debug, info, warning, error or off"},
            common.log_level, one_of({"trace", "debug", "info", "warning", "error", "off"}));
  command->fallthrough();  // --config belongs to the program
  const std::string section = (parent.get_parent() ? parent.get_name() + "." : "") + name;
  command->footer(
      "--config FILE takes options from a TOML file; those of this command stand below [" +
      section + "].");
  return command;
}

void set_run(CLI::App& command, Selected& selected, std::function<Result<ExitCode>()> run) {
  command.callback([&selected, run = std::move(run)] {
    selected.run = [run]() -> int {
      const auto result = run();
      return result ? *result : fail(result.error());
    };
  });
}

}  // namespace rsd::cli
