#include "eval/figures.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "eval/cells.h"
#include "eval/reliability.h"

namespace rsd {
namespace {

using Measure = double Row::*;

constexpr double kFarLevel = 3;         // levels that exceed the curves by this factor are left
                                        // out, since they would flatten them
constexpr std::size_t kMostRanks = 30;  // the most points of a curve over the ranks

// Adds a horizontal line for comparison.
void add_level(Chart& chart, const std::string& name, double level) {
  chart.curves.push_back({.name = name,
                          .colour = {ColourRole::kMuted, 0},
                          .points = {{chart.x.from, level}, {chart.x.to, level}}});
}

double highest_of(const Chart& chart) {
  double highest = 0;
  for (const Curve& curve : chart.curves) {
    for (const auto& [x, y] : curve.points)
      highest = std::max(highest, y);
  }
  return highest;
}

// The rows that get a curve: std, sd at the highest budget, and the best rsd at up to four
// budgets.
std::vector<const Row*> rows_with_a_curve(const std::vector<Row>& all,
                                          std::optional<std::size_t> highest_budget) {
  std::vector<const Row*> rows;
  std::map<std::size_t, const Row*> best_rsd;
  const Row* best_sd = nullptr;
  for (const Row& row : all) {
    const Setting& setting = row.setting;
    if (setting.decoder == DecoderKind::kStd) rows.push_back(&row);
    if (setting.decoder == DecoderKind::kSd && setting.budget && setting.budget == highest_budget &&
        (best_sd == nullptr || row.kt > best_sd->kt)) {
      best_sd = &row;
    }
    if (setting.decoder == DecoderKind::kRsd) {
      const Row*& best = best_rsd[*setting.budget];
      if (best == nullptr || row.kt > best->kt) best = &row;
    }
  }
  if (best_sd != nullptr) rows.push_back(best_sd);
  for (const auto& [budget, row] : best_rsd) {
    if (rows.size() < 6) rows.push_back(row);
  }
  return rows;
}

// Draws long lists as means over neighbouring ranks, since a hundred single shares are too noisy.
std::vector<std::pair<double, double>> points_by_rank(const std::vector<double>& shares,
                                                      std::size_t n_together) {
  std::vector<std::pair<double, double>> points;
  for (std::size_t from = 0; from < shares.size(); from += n_together) {
    const std::size_t n = std::min(n_together, shares.size() - from);
    double sum = 0;
    for (std::size_t j = from; j < from + n; ++j)
      sum += shares[j];
    const double middle_rank = static_cast<double>(2 * from + n + 1) / 2;
    points.emplace_back(middle_rank, sum / static_cast<double>(n));
  }
  return points;
}

class Figures {
 public:
  Figures(const DatasetResults& dataset, std::string id)
      : rows_(dataset.rows), reliability_(dataset.reliability), id_(std::move(id)) {
    for (const Row& row : rows_) {
      const Setting& setting = row.setting;
      if (!setting.policy.empty() &&
          std::ranges::find(policies_, setting.policy) == policies_.end()) {
        policies_.push_back(setting.policy);
      }
      if (setting.draft) drafts_.insert(*setting.draft);
      if (setting.budget) budgets_.insert(*setting.budget);
    }
  }

  std::vector<Figure> all() {
    if (!budgets_.empty()) {
      add({agreement_over_budget(),
           "Agreement with the target ranking at each budget: 1 is the target itself, "
           "0 is what a random order gets." +
               dashes()});
      add(time_over_budget("Decode time", "What the encodings after the prompt cost (median).",
                           &Row::decode_p50_ms));
      add(time_over_budget(
          "Total time", "A whole request, the prompt's encoding included (median).", &Row::p50_ms));
    }
    add(disagreement_by_position());
    if (reliability_) add(reliability());
    return std::move(figures_);
  }

 private:
  void add(Figure figure) {
    if (!figure.chart.curves.empty()) figures_.push_back(std::move(figure));
  }

  std::string dashes() const {
    return drafts_.size() > 1 ? " Dashed: the first encoding carries the input order." : "";
  }

  // The name of a setting, with only the fields that distinguish the curves of this dataset.
  std::string name_of(const Setting& setting) const {
    std::string name(to_string(setting.decoder));
    if (policies_.size() > 1 && !setting.policy.empty()) name += " " + setting.policy;
    if (drafts_.size() > 1 && setting.draft == Draft::kInput) name += ", input";
    return name;
  }

  // The policy that agrees best with the target under a budget; empty without rsd.
  std::string best_policy() const {
    const Row* best = nullptr;
    for (const Row& row : rows_) {
      if (row.setting.decoder != DecoderKind::kRsd) continue;
      if (best == nullptr || row.kt > best->kt) best = &row;
    }
    return best == nullptr ? "" : best->setting.policy;
  }

  Colour colour_of(const Setting& setting) const {
    if (setting.policy.empty()) return {ColourRole::kKind, 0};
    const auto at = std::ranges::find(policies_, setting.policy) - policies_.begin();
    return {ColourRole::kKind, static_cast<std::size_t>(at) + 1};
  }

  // The measure at every budget, for sd and rsd, each draft, and each policy or only the named one.
  std::vector<Curve> curves_over_budget(Measure measure,
                                        std::optional<std::string> only_policy = {}) const {
    std::vector<std::pair<Setting, Curve>> curves;
    for (const Row& row : rows_) {
      const bool is_shown =
          !only_policy || row.setting.policy.empty() || row.setting.policy == *only_policy;
      if (!row.setting.budget || !is_shown) continue;
      Setting family = row.setting;
      family.budget.reset();
      auto found = std::ranges::find(curves, family, &std::pair<Setting, Curve>::first);
      if (found == curves.end()) {
        const bool is_dashed = drafts_.size() > 1 && family.draft == Draft::kInput;
        curves.push_back({family, {name_of(family), colour_of(family), is_dashed, {}}});
        found = curves.end() - 1;
      }
      found->second.points.emplace_back(*row.setting.budget, row.*measure);
    }
    std::vector<Curve> sorted;
    for (auto& [family, curve] : curves) {
      std::ranges::sort(curve.points);
      sorted.push_back(std::move(curve));
    }
    return sorted;
  }

  // The least value of the measure among a decoder's rows without a budget.
  std::optional<double> level_of(DecoderKind decoder, Measure measure) const {
    std::optional<double> level;
    for (const Row& row : rows_) {
      if (row.setting.decoder != decoder || row.setting.budget) continue;
      level = std::min(level.value_or(row.*measure), row.*measure);
    }
    return level;
  }

  Axis budget_axis() const {
    const auto lowest = static_cast<double>(*budgets_.begin());
    const auto highest = static_cast<double>(*budgets_.rbegin());
    const double room = std::max(0.15, (highest - lowest) * 0.04);
    return {.label = "T, budget of encodings",
            .from = lowest - room,
            .to = highest + room,
            .step = std::max(1.0, std::ceil((highest - lowest) / 10))};
  }

  std::optional<std::size_t> highest_budget() const {
    if (budgets_.empty()) return std::nullopt;
    return *budgets_.rbegin();
  }

  Chart agreement_over_budget() const {
    Chart chart{.id = id_ + "agreement",
                .title = "Kendall's tau with the target ranking over T",
                .x = budget_axis(),
                .y = {},
                .curves = curves_over_budget(&Row::kt)};
    if (const auto level = level_of(DecoderKind::kStd, &Row::kt)) add_level(chart, "std", *level);
    double lowest = 0.9;
    for (const Curve& curve : chart.curves) {
      for (const auto& [x, y] : curve.points)
        lowest = std::min(lowest, y);
    }
    const double step = lowest > 0.45 ? 0.1 : 0.2;
    chart.y = {.label = "Kendall's tau",
               .from = std::max(-1.0, std::floor(lowest / step) * step),
               .to = 1,
               .step = step};
    return chart;
  }

  Figure time_over_budget(const std::string& name, std::string caption, Measure measure) const {
    Chart chart{.id = id_ + (measure == &Row::p50_ms ? "total" : "decode"),
                .title = name + " over T",
                .x = budget_axis(),
                .y = {},
                .curves = curves_over_budget(measure, best_policy())};
    if (policies_.size() > 1)
      caption += " Of the policies the one that agrees best: they cost about the same.";
    const double room = kFarLevel * highest_of(chart);
    std::string far;
    for (const DecoderKind decoder : {DecoderKind::kAr, DecoderKind::kSd, DecoderKind::kExact}) {
      const auto level = level_of(decoder, measure);
      if (!level) continue;
      const std::string label =
          std::string(to_string(decoder)) + (decoder == DecoderKind::kSd ? " to the end" : "");
      if (*level <= room) {
        add_level(chart, label, *level);
      } else {
        far += (far.empty() ? "" : ", ") + label + " " + milliseconds(*level);
      }
    }
    chart.y = axis_from_zero(name + ", ms", highest_of(chart), 0.01);
    caption += dashes();
    if (!far.empty()) caption += " Above the chart: " + far + " ms.";
    return {std::move(chart), std::move(caption)};
  }

  Figure disagreement_by_position() const {
    Chart chart{.id = id_ + "positions", .title = "Disagreement with the target ranking by rank"};
    std::size_t longest = 2;
    for (const Row& row : rows_)
      longest = std::max(longest, row.disagreement_by_position.size());
    const std::size_t n_together = (longest + kMostRanks - 1) / kMostRanks;
    std::size_t n_rsd = 0;
    for (const Row* row : rows_with_a_curve(rows_, highest_budget())) {
      Curve curve{.name = std::string(to_string(row->setting.decoder)),
                  .points = points_by_rank(row->disagreement_by_position, n_together)};
      if (row->setting.budget) curve.name += " T=" + std::to_string(*row->setting.budget);
      if (row->setting.decoder == DecoderKind::kStd) curve.colour = {ColourRole::kMuted, 0};
      if (row->setting.decoder == DecoderKind::kRsd) curve.colour = {ColourRole::kRamp, n_rsd++};
      chart.curves.push_back(std::move(curve));
    }
    chart.x = {.label = "rank in the list",
               .from = 1,
               .to = static_cast<double>(longest),
               .step = axis_from_zero("", static_cast<double>(longest) * 0.5, 5).step};
    chart.y = axis_from_zero("share of requests that differ", highest_of(chart), 0.1);
    std::string caption = "Where in the list a decoder's item differs from the target's.";
    if (n_rsd > 0 && (policies_.size() > 1 || drafts_.size() > 1)) {
      caption += " Of rsd the policy and draft that agree best.";
    }
    if (n_together > 1)
      caption += " Means of " + std::to_string(n_together) + " neighbouring ranks.";
    return {std::move(chart), std::move(caption)};
  }

  Figure reliability() const {
    Chart chart{.id = id_ + "reliability",
                .title = "Share of relevant candidates over the probability of relevance",
                .x = {.label = "probability of relevance", .from = 0, .to = 1, .step = 0.2},
                .y = {.label = "share that is relevant", .from = 0, .to = 1, .step = 0.2},
                .curves = {}};
    Curve claimed{.name = "as claimed", .is_dashed = true, .points = {{0, 0}, {1, 1}}};
    claimed.colour = {ColourRole::kMuted, 0};
    Curve measured{.name = "measured", .points = {}};
    for (const ReliabilityFigures::Bin& bin : reliability_->bins)
      measured.points.emplace_back(bin.probability, bin.relevant);
    chart.curves = {std::move(claimed), std::move(measured)};
    return {std::move(chart), reliability_sentence(*reliability_)};
  }

  const std::vector<Row>& rows_;
  const std::optional<ReliabilityFigures>& reliability_;
  std::string id_;
  std::vector<std::string> policies_;  // in order of appearance
  std::set<Draft> drafts_;
  std::set<std::size_t> budgets_;
  std::vector<Figure> figures_;
};

}  // namespace

std::vector<Figure> figures_of(const DatasetResults& dataset, const std::string& id) {
  return Figures(dataset, id).all();
}

}  // namespace rsd
