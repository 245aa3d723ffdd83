// The metrics for Prometheus (docs/server.md lists the names).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "rsd/data/answer.h"
#include "rsd/decode/llm_engine.h"

namespace rsd::server {

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A call that was answered. `route` is one of ours, or "other".
  void count_call(std::string_view route, int status, double ms);
  // A request that was refused; `reason` is "queue_full", "loading", "draining", "connections" (too
  // many), "client" or "key" (too many of one), or "memory" (none left).
  void count_refused(std::string_view reason);
  void count_cancelled();
  // How long a request waited until it was taken in.
  void observe_queue(double ms);
  // A request that was ranked.
  void observe_answer(const Answer& answer);

  // The present state.
  struct State {
    std::size_t n_queued = 0;
    std::size_t n_in_flight = 0;
    bool ready = false;
    std::size_t n_log_lines_dropped = 0;  // since the start
    PromptReuse prompts;
  };
  // Prometheus' text format.
  std::string text(const State& state);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace rsd::server
