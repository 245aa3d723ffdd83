// Draws the figures of a page.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/figures.h"

namespace rsd {

// Draws until gnuplot is found to be missing or broken.
class Drawing {
 public:
  explicit Drawing(std::string gnuplot) : gnuplot_(std::move(gnuplot)) {}

  // HTML of the figures, side by side; empty if there are none, or none can be drawn.
  std::string figures(const std::vector<Figure>& figures);

  const std::optional<std::string>& failure() const { return failure_; }

 private:
  std::string gnuplot_;
  std::optional<std::string> failure_;
};

}  // namespace rsd
