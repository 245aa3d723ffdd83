#include "eval/chart.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/fixed_decimals.h"
#include "eval/gnuplot.h"
#include "eval/svg.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr double kWidth = 660;
constexpr double kHeight = 400;
constexpr double kLeft = 58;
constexpr double kTop = 44;
constexpr double kBottom = 66;
constexpr double kLabelGap = 19;
constexpr double kCharWidth = 7.5;     // approximate, of the labels' font
constexpr std::size_t kMostDots = 30;  // curves with more points are drawn without dots

std::string number(double value) {
  return fixed_decimals(value, 6);
}
std::string at_screen(double share) {
  return " at screen " + number(share) + "\n";
}

std::string colour_of(const Colour& colour) {
  switch (colour.role) {
    case ColourRole::kKind:
      return placeholder_colour(kFirstKindColour + colour.index % kKindColours);
    case ColourRole::kRamp:
      return placeholder_colour(kFirstRampColour + colour.index % kRampColours);
    case ColourRole::kMuted:
      break;
  }
  return placeholder_colour(kMutedColour);
}

class Script {
 public:
  explicit Script(const Chart& chart) : chart_(chart) {
    std::size_t longest = 0;
    for (const Curve& curve : chart.curves)
      longest = std::max(longest, curve.name.size());
    right_ = kWidth - 34 - kCharWidth * static_cast<double>(longest);
  }

  std::string write() {
    frame();
    axes();
    labels();
    curves();
    return std::move(text_);
  }

 private:
  void frame() {
    text_ += "set terminal svg size " + number(kWidth) + "," + number(kHeight) +
             " dynamic noenhanced font 'sans-serif,15' name '" + chart_.id + "'\n";
    text_ += "set encoding utf8\nunset key\n";
    text_ += "set lmargin" + at_screen(kLeft / kWidth);
    text_ += "set rmargin" + at_screen(right_ / kWidth);
    text_ += "set tmargin" + at_screen(1 - kTop / kHeight);
    text_ += "set bmargin" + at_screen(kBottom / kHeight);
  }

  void axes() {
    const std::string ink = " tc rgb '" + placeholder_colour(kInkColour) + "'";
    const std::string muted = "'" + placeholder_colour(kMutedColour) + "'";
    text_ += "set border 1 lc rgb " + muted + " lw 1\n";
    text_ += "set grid ytics lt 1 lw 1 lc rgb '" + placeholder_colour(kGridColour) + "'\n";
    text_ += "set tics nomirror out textcolor rgb " + muted + "\n";
    text_ += "set ytics scale 0 " + number(chart_.y.step) + "\n";
    text_ += "set xtics scale 0.5 " + number(chart_.x.step) + "\n";
    text_ += range("x", chart_.x) + range("y", chart_.y);
    text_ += "set label " + gnuplot_string(chart_.x.label) + " at graph 0.5, screen " +
             number(13 / kHeight) + " center" + ink + "\n";
    // The vertical axis is labelled above its end, in horizontal text.
    text_ += "set label " + gnuplot_string(chart_.y.label) + " at screen 0.012, screen " +
             number(1 - 16 / kHeight) + ink + "\n";
  }

  static std::string range(const std::string& name, const Axis& axis) {
    return "set " + name + "range [" + number(axis.from) + ":" + number(axis.to) + "]\n";
  }

  void labels() {
    std::vector<double> wishes;
    for (const Curve& curve : chart_.curves) {
      const double y = curve.points.back().second;
      wishes.push_back((y - chart_.y.from) / (chart_.y.to - chart_.y.from));
    }
    const auto heights = spread_labels(wishes, kLabelGap / (kHeight - kTop - kBottom));
    const double plot_width = right_ - kLeft;
    for (std::size_t c = 0; c < heights.size(); ++c) {
      const Curve& curve = chart_.curves[c];
      const std::string height = ", graph " + number(heights[c]);
      text_ += "set arrow from first " + number(curve.points.back().first) + ", first " +
               number(curve.points.back().second) + " to graph " + number(1 + 18 / plot_width) +
               height + " nohead lw 0.7 lc rgb '" + placeholder_colour(kMutedColour) + "'\n";
      text_ += "set label " + gnuplot_string(curve.name) + " at graph " +
               number(1 + 22 / plot_width) + height + " tc rgb '" + colour_of(curve.colour) + "'\n";
    }
  }

  void curves() {
    std::string plot = "plot ";
    for (std::size_t c = 0; c < chart_.curves.size(); ++c) {
      const Curve& curve = chart_.curves[c];
      const std::string data = "$curve" + std::to_string(c);
      text_ += data + " << END\n";
      for (const auto& [x, y] : curve.points)
        text_ += number(x) + " " + number(y) + "\n";
      text_ += "END\n";
      const bool is_background = curve.colour.role == ColourRole::kMuted;
      const bool has_dots = !is_background && curve.points.size() <= kMostDots;
      plot += (c == 0 ? "" : ", ") + data + " using 1:2 with " +
              (has_dots ? "linespoints pt 7 ps 0.45" : "lines") + " lw " +
              (is_background ? "1.2" : "2") + (curve.is_dashed ? " dt (8,5)" : " dt 1") +
              " lc rgb '" + colour_of(curve.colour) + "' title " + gnuplot_string(curve.name);
    }
    text_ += plot + "\n";
  }

  const Chart& chart_;
  double right_;
  std::string text_;
};

// The smallest round step of at least `rough`: 1, 2, 2.5 or 5 times a power of ten.
double round_step(double rough) {
  const double magnitude = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * magnitude;
  for (const double factor : {5.0, 2.5, 2.0, 1.0}) {
    if (factor * magnitude >= rough) step = factor * magnitude;
  }
  return step;
}

}  // namespace

Axis axis_from_zero(std::string label, double highest, double least_to) {
  const double to = std::max(highest, least_to);
  const double step = round_step(to / 5);
  return {
      .label = std::move(label), .from = 0, .to = std::ceil(to / step - 1e-9) * step, .step = step};
}

Axis axis_around(std::string label, double lowest, double highest) {
  // The least range if all values are equal; also, gnuplot gets no more than six decimals.
  const double least = std::max(1e-4, 1e-3 * std::abs(highest));
  const double step = round_step(std::max(highest - lowest, least) / 5);
  const double from = std::floor(lowest / step + 1e-9) * step;
  const double to = std::ceil(highest / step - 1e-9) * step;
  return {.label = std::move(label), .from = from, .to = std::max(to, from + step), .step = step};
}

std::vector<double> spread_labels(const std::vector<double>& wishes, double gap) {
  std::vector<std::size_t> by_height(wishes.size());
  std::iota(by_height.begin(), by_height.end(), std::size_t{0});
  std::ranges::stable_sort(by_height, {}, [&](std::size_t i) { return wishes[i]; });

  // Labels that would overlap form a stack around the mean of their desired heights.
  struct Stack {
    double wish_sum = 0;
    std::size_t size = 0;
    double bottom = 0;
  };
  const auto settle = [&](Stack& stack) {
    const double height = gap * static_cast<double>(stack.size - 1);
    const double best = stack.wish_sum / static_cast<double>(stack.size) - height / 2;
    stack.bottom = std::clamp(best, 0.0, std::max(0.0, 1 - height));
  };
  std::vector<Stack> stacks;
  for (const std::size_t i : by_height) {
    stacks.push_back({.wish_sum = wishes[i], .size = 1});
    settle(stacks.back());
    while (stacks.size() > 1) {
      const Stack upper = stacks.back();
      Stack& lower = stacks[stacks.size() - 2];
      if (lower.bottom + gap * static_cast<double>(lower.size) <= upper.bottom) break;
      stacks.pop_back();
      lower.wish_sum += upper.wish_sum;
      lower.size += upper.size;
      settle(lower);
    }
  }
  std::vector<double> heights(wishes.size());
  auto next = by_height.begin();
  for (const Stack& stack : stacks) {
    for (std::size_t k = 0; k < stack.size; ++k)
      heights[*next++] = stack.bottom + gap * static_cast<double>(k);
  }
  return heights;
}

std::string gnuplot_script(const Chart& chart) {
  RSD_CHECK(!chart.curves.empty(), "a chart without curves");
  for (const Curve& curve : chart.curves)
    RSD_CHECK(!curve.points.empty(), "a curve without points");
  return Script(chart).write();
}

Result<std::string> draw_svg(const Chart& chart, const std::string& gnuplot) {
  auto drawn = run_gnuplot(gnuplot_script(chart), gnuplot);
  if (!drawn) return drawn.error();
  return inline_svg(*drawn, chart.id, chart.title);
}

}  // namespace rsd
