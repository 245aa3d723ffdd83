// Figures on a page.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/figures.h"

namespace rsd {

// Draws until gnuplot turns out to be missing or broken.
class Drawing {
 public:
  explicit Drawing(std::string gnuplot) : gnuplot_(std::move(gnuplot)) {}

  // Side by side; empty when there is none, or none can be drawn.
  std::string figures(const std::vector<Figure>& figures);

  const std::optional<std::string>& failure() const { return failure_; }

 private:
  std::string gnuplot_;
  std::optional<std::string> failure_;
};

}  // namespace rsd
