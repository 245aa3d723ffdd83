// A progress bar on standard error, shown on a terminal only.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "rsd/core/progress.h"

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

// Returns a callback that shows a bar, from the first step until its last copy is destroyed.
OnProgress show_progress(std::string unit);

}  // namespace rsd::cli
