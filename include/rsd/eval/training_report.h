// The curves of a training as a page.
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
  std::string unit;                   // of the values
  std::vector<TrainingCurve> curves;  // those without points are left out
};

// The mean of `points` over each run of `width` (at least 1), at the last step of the run: curves
// of single steps are too noisy to be read.
std::vector<std::pair<double, double>> averaged(
    const std::vector<std::pair<double, double>>& points, std::size_t width);

// The figures of a training: `metrics` is the content of its metrics.jsonl (docs/formats/agent.md).
// Lines that hold no metrics are passed over.
std::vector<TrainingFigure> training_figures(const std::string& metrics);

// One page; figures without curves are left out. Runs gnuplot for each figure; without it the page
// says that the plots are missing, and a warning tells why.
Report render_training_report(const std::string& title, const std::vector<TrainingFigure>& figures,
                              const ReportOptions& options = {});

}  // namespace rsd
