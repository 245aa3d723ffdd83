#include "server_log.h"

#include <spdlog/formatter.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

namespace rsd::cli {
namespace {

constexpr const char* kAccess = "access";

// UTC, as ISO 8601 has it, with milliseconds.
std::string time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  const auto since = time.time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count() % 1000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms);
}

std::string_view view(spdlog::string_view_t text) {
  return {text.data(), text.size()};
}

// What comes through the access logger is JSON already.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string line =
        view(message.logger_name) == kAccess
            ? std::string(view(message.payload))
            : server::json_line(view(message.payload), time_text(message.time),
                                view(spdlog::level::to_string_view(message.level)));
    out.append(line.data(), line.data() + line.size());
    out.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

spdlog::level::level_enum level_of(const server::AccessRecord& record) {
  constexpr int kServerFault = 500;
  return record.status == kServerFault ? spdlog::level::err : spdlog::level::info;
}

// So that a misspelt field can be found.
void tell_ignored(spdlog::logger& logger, const server::AccessRecord& record) {
  if (record.notes.ignored_fields.empty()) return;
  logger.debug("request {}: fields that are unknown and ignored: {}", record.request_id,
               record.notes.ignored_fields);
}

}  // namespace

server::AccessSink start_server_log(ServerLogFormat format, bool level_is_given) {
  const auto logger = spdlog::default_logger();
  if (!level_is_given) logger->set_level(spdlog::level::info);
  if (format == ServerLogFormat::kText) {
    return [logger](const server::AccessRecord& record) {
      logger->log(level_of(record), "{}", server::text_line(record));
      tell_ignored(*logger, record);
    };
  }
  logger->set_formatter(std::make_unique<JsonFormatter>());
  const auto access =
      std::make_shared<spdlog::logger>(kAccess, logger->sinks().begin(), logger->sinks().end());
  access->set_level(logger->level());
  return [access, logger](const server::AccessRecord& record) {
    tell_ignored(*logger, record);
    const auto level = level_of(record);
    if (!access->should_log(level)) return;
    const auto now = time_text(std::chrono::system_clock::now());
    access->log(level, "{}",
                server::json_line(record, now, view(spdlog::level::to_string_view(level))));
  };
}

}  // namespace rsd::cli
