// llama.cpp's log, routed to the sink of the engine that was loaded last.
#pragma once

#include <string>

#include "rsd/llm/llama_engine.h"

namespace rsd {

void route_llama_log(LogSink sink);

// Collects what llama.cpp reports as errors while it lives, for an error message of ours. One at a
// time per thread.
class LlamaErrorCapture {
 public:
  LlamaErrorCapture();
  ~LlamaErrorCapture();
  LlamaErrorCapture(const LlamaErrorCapture&) = delete;
  LlamaErrorCapture& operator=(const LlamaErrorCapture&) = delete;

  // The first report, on one line; empty when there was none.
  const std::string& first() const noexcept { return first_; }

 private:
  friend void note_llama_error(const std::string& line);
  std::string first_;
};

}  // namespace rsd
