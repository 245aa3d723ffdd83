#include "rsd/eval/training_report.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "eval/drawing.h"
#include "eval/html.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

// The smallest and the largest value.
struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

std::optional<Figure> figure_of(const TrainingFigure& training, std::size_t number) {
  Extent steps;
  Extent values;
  Figure figure{.chart = {.id = "t" + std::to_string(number), .title = training.title},
                .caption = training.caption};
  for (const TrainingCurve& curve : training.curves) {
    if (curve.points.empty()) continue;
    figure.chart.curves.push_back(
        {.name = curve.name,
         .colour = {.role = ColourRole::kKind, .index = figure.chart.curves.size()},
         .points = curve.points});
    for (const auto& [step, value] : curve.points) {
      steps.add(step);
      values.add(value);
    }
  }
  if (figure.chart.curves.empty()) return std::nullopt;
  figure.chart.x = axis_from_zero("step", steps.high, 1);
  figure.chart.y = axis_around(training.unit, values.low, values.high);
  return figure;
}

}  // namespace

std::vector<std::pair<double, double>> averaged(
    const std::vector<std::pair<double, double>>& points, std::size_t width) {
  RSD_CHECK(width >= 1, "a mean over at least one point");
  std::vector<std::pair<double, double>> means;
  for (std::size_t begin = 0; begin < points.size(); begin += width) {
    const std::size_t end = std::min(begin + width, points.size());
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i)
      sum += points[i].second;
    means.emplace_back(points[end - 1].first, sum / static_cast<double>(end - begin));
  }
  return means;
}

Report render_training_report(const std::string& title, const std::vector<TrainingFigure>& figures,
                              const ReportOptions& options) {
  std::vector<Figure> drawable;
  for (const TrainingFigure& training : figures) {
    if (auto figure = figure_of(training, drawable.size())) drawable.push_back(*std::move(figure));
  }
  Drawing drawing(options.gnuplot);
  const std::string plots = drawing.figures(drawable);
  Report report;
  std::string warnings;
  if (drawing.failure()) {
    report.warnings.push_back("the report has no plots: " + *drawing.failure());
    warnings = warning(escape_html("The plots are missing: " + *drawing.failure() + "."));
  }
  report.html = html_page(title, text_element("h1", title) + "\n" + warnings + plots);
  return report;
}

}  // namespace rsd
