#include "options/common_options.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "options/flags.h"
#include "rsd/core/shown_text.h"
#include "terminal/exit_code.h"
#include "terminal/help.h"

namespace rsd::cli {
namespace {

// Log messages may quote servers, files and models. Each is shown as one line of limited length,
// without control characters.
class ShownMessage final : public spdlog::custom_flag_formatter {
 public:
  static constexpr char kFlag = '*';
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    constexpr std::size_t kMostChars = 4000;
    const std::string text =
        shown_text({message.payload.data(), message.payload.size()}, kMostChars);
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<ShownMessage>();
  }
};

}  // namespace

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

int thread_count(const CommonOptions& options) {
  return options.threads > 0 ? options.threads
                             : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void start_log(const std::string& level) {
  auto logger = spdlog::stderr_color_mt("rsd");
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<ShownMessage>(ShownMessage::kFlag).set_pattern("rsd: %^%l%$: %*");
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

LogSink log_sink() {
  return [](LogLevel level, std::string_view line) {
    switch (level) {
      case LogLevel::kError:
        return spdlog::error("{}", line);
      case LogLevel::kWarning:
        return spdlog::warn("{}", line);
      case LogLevel::kInfo:
        return spdlog::info("{}", line);
      case LogLevel::kDebug:
        return spdlog::debug("{}", line);
    }
  };
}

LogSink llama_log_sink() {
  return [](LogLevel level, std::string_view line) {
    switch (level) {
      case LogLevel::kError:
      case LogLevel::kWarning:
        // Our own errors report those that matter to users.
        spdlog::info("llama.cpp: {}", line);
        break;
      case LogLevel::kInfo:
      case LogLevel::kDebug:
        spdlog::debug("llama.cpp: {}", line);
        break;
    }
  };
}

int fail(const Error& error) {
  spdlog::error("{}", error.message());
  return exit_code(error.code());
}

}  // namespace rsd::cli
