#include "terminal/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include "rsd/core/shown_text.h"
#include "terminal/exit_code.h"

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
