// Draws line charts, with the curves' names at their ends, as SVG for an HTML page.
//
// Colours are roles; the page defines them, for light and for dark, as the CSS variables
// --plot-ink,
// --plot-muted, --plot-grid, --plot-0 … --plot-7 (kinds of things) and --plot-ramp-0 …
// --plot-ramp-3 (steps of one thing).
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

enum class ColourRole { kKind, kRamp, kMuted };

struct Colour {
  ColourRole role = ColourRole::kKind;
  std::size_t index = 0;  // modulo the number of colours
};

struct Curve {
  std::string name;
  Colour colour;
  bool is_dashed = false;
  std::vector<std::pair<double, double>> points;  // by ascending x, at least one
};

struct Axis {
  std::string label;
  double from = 0;
  double to = 1;
  double step = 1;  // between marks
};

struct Chart {
  std::string id;     // letters and digits, unique on the page
  std::string title;  // for screen readers
  Axis x;
  Axis y;
  std::vector<Curve> curves;  // at least one
};

// An axis from 0 to a round number above the values, with about five marks. `least_to` is a lower
// bound of its upper end, for values that are almost 0.
Axis axis_from_zero(std::string label, double highest, double least_to);

// An axis between round numbers around the values, for values that are far from 0.
Axis axis_around(std::string label, double lowest, double highest);

// Spreads labels vertically: `wishes` are their ideal heights. The result keeps their order, with
// no two closer than `gap`, each as near to its wish as possible, and within [0, 1] if they fit.
std::vector<double> spread_labels(const std::vector<double>& wishes, double gap);

std::string gnuplot_script(const Chart& chart);

// Errors: see run_gnuplot.
Result<std::string> draw_svg(const Chart& chart, const std::string& gnuplot);

}  // namespace rsd
