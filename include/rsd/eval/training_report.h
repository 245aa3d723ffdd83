// Renders the curves of a training as a page.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "rsd/eval/report.h"

namespace rsd {

struct TrainingCurve {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (step, value), by ascending step
};

struct TrainingFigure {
  std::string title;
  std::string caption;
  std::string unit;                   // unit of the values
  std::vector<TrainingCurve> curves;  // curves without points are left out
};

// The mean over each group of `width` (at least 1) consecutive points, placed at the group's last
// step: curves of single steps are too noisy to read.
std::vector<std::pair<double, double>> averaged(
    const std::vector<std::pair<double, double>>& points, std::size_t width);

// The figures of a training: `metrics` is the content of its metrics.jsonl (docs/formats/agent.md).
// Lines that hold no metrics are passed over.
std::vector<TrainingFigure> training_figures(const std::string& metrics);

// Renders one page; figures without curves are left out. Runs gnuplot for each figure; without it
// the page states that the plots are missing, and a warning gives the reason.
Report render_training_report(const std::string& title, const std::vector<TrainingFigure>& figures,
                              const ReportOptions& options = {});

}  // namespace rsd
