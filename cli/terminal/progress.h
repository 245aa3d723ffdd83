// A progress bar on standard error, shown on a terminal only.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "rsd/core/log.h"
#include "rsd/core/progress.h"
#include "rsd/jobs/job_seams.h"

namespace rsd::cli {

// Draws at most ten times a second; erased when it is destroyed, so that later output
// starts on a clean line.
class ProgressBar {
 public:
  // `total` unknown: only the count and the rate are shown.
  ProgressBar(std::string unit, std::optional<std::size_t> total);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  // No line is wider than the terminal.
  void show(std::size_t done);
  // Shown after the bar from now on.
  void note(std::string text) { note_ = std::move(text); }
  // Takes the bar off the screen, before something else is printed; the next show() brings it back.
  void clear();

 private:
  std::string line(std::size_t done, double rate) const;

  std::string unit_;
  std::string note_;
  std::optional<std::size_t> total_;
  bool on_terminal_;
  bool drawn_ = false;
  std::optional<std::size_t> first_;  // done at the first call: a resumed run starts with some
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_drawn_;
};

// The bars of a job, one at a time, and the log that shares the terminal with them.
class ProgressBars {
 public:
  // A new unit begins a new bar. `note` stands after it.
  void show(const std::string& unit, std::size_t done, std::optional<std::size_t> total,
            std::string note = "");
  // Before something else is printed.
  void clear();
  // Takes the bar off the screen and writes to the program's log. Must not outlive this.
  LogSink log_sink();
  // The seams of a job. Must not outlive this.
  JobSeams seams();
  // The bar of one unit. Must not outlive this.
  OnProgress on_progress(std::string unit);

 private:
  std::string unit_;
  std::optional<ProgressBar> bar_;
};

}  // namespace rsd::cli
