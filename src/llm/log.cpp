#include "llm/log.h"

#include <llama.h>

#include <utility>

#include "rsd/core/mutex.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

struct Router {
  Mutex mutex;
  LogSink sink RSD_GUARDED_BY(mutex);
  LogLevel level RSD_GUARDED_BY(mutex) =
      LogLevel::kInfo;  // of the line in progress: llama.cpp continues lines
};

Router& router() {
  static Router instance;
  return instance;
}

thread_local LlamaErrorCapture* current_capture = nullptr;

// What llama.cpp quotes from a damaged file may be any bytes.
std::string valid_utf8(std::string text) {
  while (const auto offset = find_invalid_utf8(text))
    text[*offset] = '?';
  return text;
}

// The cache may have more cells than the model was trained for positions, since several prompts
// share it; none of them is longer than context_size.
bool is_about_cells(const std::string& line) {
  return line.find("possible training context overflow") != std::string::npos;
}

LogLevel level_of(ggml_log_level level, const std::string& line, LogLevel previous) {
  switch (level) {
    case GGML_LOG_LEVEL_ERROR:
      return LogLevel::kError;
    case GGML_LOG_LEVEL_WARN:
      return is_about_cells(line) ? LogLevel::kDebug : LogLevel::kWarning;
    case GGML_LOG_LEVEL_CONT:
      return previous;
    default:
      return LogLevel::kDebug;  // llama.cpp's information is detail for us
  }
}

}  // namespace

void note_llama_error(const std::string& line) {
  if (current_capture && current_capture->first_.empty()) current_capture->first_ = line;
}

namespace {

void on_llama_log(ggml_log_level level, const char* text, void*) {
  const std::string line = single_line(valid_utf8(text));
  if (line.empty()) return;
  if (level == GGML_LOG_LEVEL_ERROR) note_llama_error(line);
  Router& to = router();
  const MutexLock lock(to.mutex);
  to.level = level_of(level, line, to.level);
  if (to.sink) to.sink(to.level, line);
}

}  // namespace

void route_llama_log(LogSink sink) {
  Router& to = router();
  const MutexLock lock(to.mutex);
  to.sink = std::move(sink);
  llama_log_set(&on_llama_log, nullptr);
}

LlamaErrorCapture::LlamaErrorCapture() {
  current_capture = this;
}
LlamaErrorCapture::~LlamaErrorCapture() {
  current_capture = nullptr;
}

}  // namespace rsd
