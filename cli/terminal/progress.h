// A progress bar on standard error, shown on a terminal only.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "rsd/core/progress.h"

namespace rsd::cli {

// Draws at most ten times a second; erased when it is destroyed, so that what is printed behind it
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
  // Shown behind the bar from now on.
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

// A bar for work of the library's, from its first step on until the last copy of the result goes.
OnProgress show_progress(std::string unit);

}  // namespace rsd::cli
