// A line chart whose curves carry their names at their ends, as an SVG for an HTML page.
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
  std::size_t index = 0;  // taken modulo the number that there are
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
  std::string title;  // read out where the picture can't be seen
  Axis x;
  Axis y;
  std::vector<Curve> curves;  // at least one
};

// From 0 or from a round number up to one, with about five marks, around the values. `least_to`
// keeps the axis from shrinking around values that are almost 0.
Axis axis_from_zero(std::string label, double highest, double least_to);

// From a round number to a round number, around the values; for values that do not come near 0.
Axis axis_around(std::string label, double lowest, double highest);

// Heights of labels, given where they would be best: in the same order, no two closer than `gap`,
// each as near to its wish as that allows, and within [0, 1] if they fit.
std::vector<double> spread_labels(const std::vector<double>& wishes, double gap);

std::string gnuplot_script(const Chart& chart);

// Errors as run_gnuplot's.
Result<std::string> draw_svg(const Chart& chart, const std::string& gnuplot);

}  // namespace rsd
