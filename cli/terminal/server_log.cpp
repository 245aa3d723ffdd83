#include "terminal/server_log.h"

#include <spdlog/async.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace rsd::cli {
namespace {

constexpr const char* kAccess = "access";

// ISO 8601 in UTC, with milliseconds.
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

// Lines of the access log are JSON already.
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

// Logs unknown fields, so that users can find misspelt ones.
void log_ignored(spdlog::logger& logger, const server::AccessRecord& record) {
  if (record.notes.ignored_fields.empty()) return;
  logger.debug("request {}: fields that are unknown and ignored: {}", record.request_id,
               record.notes.ignored_fields);
}

// The access log's own lines are safe, and in JSON they are longer than others may be.
std::string shown(const spdlog::details::log_msg& message) {
  if (view(message.logger_name) == kAccess) return std::string(view(message.payload));
  return server::message_line(view(message.payload));
}

// Wraps the sink that writes, on the writing thread: makes lines safe to show, reports how many
// were dropped, and counts flushes.
class WatchedSink final : public spdlog::sinks::sink {
 public:
  explicit WatchedSink(spdlog::sink_ptr inner) : inner_(std::move(inner)) {}

  // To be called before anything is logged.
  void watch(std::function<std::size_t()> n_dropped) { n_dropped_ = std::move(n_dropped); }
  std::size_t n_flushed() const noexcept { return n_flushed_; }

  void log(const spdlog::details::log_msg& message) override {
    log_dropped();
    const std::string line = shown(message);
    spdlog::details::log_msg safe = message;
    safe.payload = line;
    inner_->log(safe);
  }
  void flush() override {
    log_dropped();
    inner_->flush();
    ++n_flushed_;
  }
  void set_pattern(const std::string& pattern) override { inner_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    inner_->set_formatter(std::move(formatter));
  }

 private:
  void log_dropped() {
    const std::size_t n_dropped = n_dropped_();
    if (n_dropped == n_reported_) return;
    const std::string line =
        fmt::format("{} lines of this log were dropped: they came faster than they were taken",
                    n_dropped - n_reported_);
    n_reported_ = n_dropped;
    inner_->log(spdlog::details::log_msg("rsd", spdlog::level::warn, line));
  }

  const spdlog::sink_ptr inner_;
  std::function<std::size_t()> n_dropped_;
  std::size_t n_reported_ = 0;  // the writing thread's
  std::atomic<std::size_t> n_flushed_{0};
};

std::shared_ptr<spdlog::logger> async_logger(const char* name,
                                             const std::shared_ptr<WatchedSink>& sink,
                                             spdlog::level::level_enum level) {
  auto logger = std::make_shared<spdlog::async_logger>(
      name, sink, spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(level);
  return logger;
}

}  // namespace

struct ServerLog::State {
  std::shared_ptr<WatchedSink> sink;
  std::shared_ptr<spdlog::logger> messages;
  std::shared_ptr<spdlog::logger> access;
  bool is_json = false;
};

ServerLog::ServerLog(ServerLogFormat format, bool level_is_given)
    : state_(std::make_unique<State>()) {
  constexpr std::size_t kLines = 8192;
  const auto before = spdlog::default_logger();
  const auto level = level_is_given ? before->level() : spdlog::level::info;
  spdlog::init_thread_pool(kLines, 1);
  state_->sink = std::make_shared<WatchedSink>(before->sinks().front());
  // A plain pointer: at the end of the process, the pool waits for the thread that calls this.
  state_->sink->watch([pool = spdlog::thread_pool().get()] { return pool->overrun_counter(); });
  state_->messages = async_logger("rsd", state_->sink, level);
  state_->access = async_logger(kAccess, state_->sink, level);
  state_->is_json = format == ServerLogFormat::kJson;
  if (state_->is_json) state_->sink->set_formatter(std::make_unique<JsonFormatter>());
  spdlog::set_default_logger(state_->messages);
}

ServerLog::~ServerLog() = default;

server::AccessSink ServerLog::access_sink() const {
  if (!state_->is_json) {
    return [messages = state_->messages](const server::AccessRecord& record) {
      messages->log(level_of(record), "{}", server::text_line(record));
      log_ignored(*messages, record);
    };
  }
  return
      [access = state_->access, messages = state_->messages](const server::AccessRecord& record) {
        log_ignored(*messages, record);
        const auto level = level_of(record);
        if (!access->should_log(level)) return;
        const auto now = time_text(std::chrono::system_clock::now());
        access->log(level, "{}",
                    server::json_line(record, now, view(spdlog::level::to_string_view(level))));
      };
}

std::size_t ServerLog::n_dropped() const {
  return spdlog::thread_pool()->overrun_counter();
}

// The queue may drop the request to flush, too, so the request is repeated.
bool ServerLog::flush(std::chrono::milliseconds limit) const {
  constexpr std::chrono::milliseconds kLookInterval{10};
  const std::size_t n_before = state_->sink->n_flushed();
  const auto until = std::chrono::steady_clock::now() + limit;
  for (int look = 0; std::chrono::steady_clock::now() < until; ++look) {
    if (look % 10 == 0) state_->messages->flush();
    std::this_thread::sleep_for(kLookInterval);
    if (state_->sink->n_flushed() != n_before) return true;
  }
  return false;
}

}  // namespace rsd::cli
