#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/metrics_line.h"
#include "rsd/eval/training_report.h"

namespace rsd {
namespace {

using ReadJson = nlohmann::json;

// One figure of the metrics over the steps of a stage.
TrainingCurve curve_of(const std::vector<ReadJson>& metrics, const std::string& name,
                       const std::string& stage, const std::string& key) {
  constexpr std::size_t kPoints = 60;  // about
  TrainingCurve curve{.name = name, .points = {}};
  for (const ReadJson& entry : metrics) {
    if (entry["stage"] != stage || !entry.contains(key) || !entry[key].is_number()) continue;
    curve.points.emplace_back(entry["step"], entry[key]);
  }
  curve.points = averaged(curve.points, std::max<std::size_t>(1, curve.points.size() / kPoints));
  return curve;
}

std::vector<TrainingFigure> figures_of(const std::vector<ReadJson>& metrics) {
  return {
      {.title = "Supervised: loss",
       .caption = "Negative log-likelihood of the target order, a choice; means of several steps.",
       .unit = "nats",
       .curves = {curve_of(metrics, "training", "supervised", "loss"),
                  curve_of(metrics, "validation", "validation", "loss")}},
      {.title = "Supervised: agreement with the target",
       .caption = "Kendall's tau of the whole ranking, on requests that are held out.",
       .unit = "KT",
       .curves = {curve_of(metrics, "agent", "validation", "kendall_tau"),
                  curve_of(metrics, "heuristic", "validation", "heuristic_kendall_tau")}},
      {.title = "RPO: return",
       .caption =
           "Of the trajectories, and of the frozen initial agent on the same requests, which "
           "decodes greedily; means of several steps.",
       .unit = "R",
       .curves = {curve_of(metrics, "agent, sampled", "rpo", "return"),
                  curve_of(metrics, "reference", "rpo", "reference_return")}},
      {.title = "RPO: return on requests that are held out",
       .caption = "Of the greedy agent, mean over budgets; the best one is kept.",
       .unit = "R",
       .curves = {curve_of(metrics, "agent, greedy", "rpo-validation", "return")}},
      {.title = "RPO: divergence from the initial agent",
       .caption = "Stage by stage along the sampled rankings, an action.",
       .unit = "nats",
       .curves = {curve_of(metrics, "KL", "rpo", "kl")}},
      {.title = "RPO: entropy",
       .caption = "Of the policy along the sampled rankings, an action.",
       .unit = "nats",
       .curves = {curve_of(metrics, "entropy", "rpo", "entropy")}}};
}

}  // namespace

std::vector<TrainingFigure> training_figures(const std::string& metrics) {
  std::vector<ReadJson> entries;
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    auto entry = read_metrics_line(line);
    if (entry) entries.push_back(*std::move(entry));
  }
  return figures_of(entries);
}

}  // namespace rsd
