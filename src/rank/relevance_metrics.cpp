#include "rsd/rank/relevance_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>

#include "rsd/core/check.h"

namespace rsd {
namespace {

bool is_relevant(int grade) {
  return grade >= 1;
}

// The gain of an item: 0 for unjudged items and negative grades.
int gain(std::optional<int> grade) {
  return std::max(grade.value_or(0), 0);
}

std::size_t cut(std::size_t length, int k) {
  RSD_CHECK(k >= 1, "a metric cut off at a rank below 1");
  return std::min(length, static_cast<std::size_t>(k));
}

double discounted(int gain, std::size_t position) {
  return gain / std::log2(static_cast<double>(position + 2));
}

// The gain of the best order of all judged items. Items that the first stage missed lower the
// metric.
double ideal_gain(std::vector<int> judged, int k) {
  const std::size_t depth = cut(judged.size(), k);
  std::ranges::partial_sort(judged, judged.begin() + static_cast<std::ptrdiff_t>(depth),
                            std::ranges::greater{});
  double sum = 0;
  for (std::size_t j = 0; j < depth; ++j)
    sum += discounted(gain(judged[j]), j);
  return sum;
}

}  // namespace

LabelledRanking label(const Ranking& ranking, const Request& request,
                      const std::map<std::string, int>& relevance) {
  RSD_CHECK(ranking.size() == request.candidates.size(),
            "a ranking of another number of items than the request has candidates");
  LabelledRanking labelled;
  labelled.grades.reserve(ranking.size());
  for (const ItemId item : ranking.items()) {
    const auto found = relevance.find(request.candidates[item.slot()].id);
    labelled.grades.push_back(found == relevance.end() ? std::nullopt
                                                       : std::optional(found->second));
  }
  labelled.judged.reserve(relevance.size());
  for (const auto& [id, grade] : relevance)
    labelled.judged.push_back(grade);
  return labelled;
}

double ndcg_at_k(const LabelledRanking& labelled, int k) {
  const double ideal = ideal_gain(labelled.judged, k);
  if (ideal <= 0) return 0;
  double sum = 0;
  for (std::size_t j = 0; j < cut(labelled.grades.size(), k); ++j) {
    sum += discounted(gain(labelled.grades[j]), j);
  }
  return sum / ideal;
}

double reciprocal_rank(const LabelledRanking& labelled) {
  const auto& grades = labelled.grades;
  const auto first = std::ranges::find_if(
      grades, [](std::optional<int> grade) { return is_relevant(grade.value_or(0)); });
  return first == grades.end() ? 0 : 1.0 / static_cast<double>(first - grades.begin() + 1);
}

double recall_at_k(const LabelledRanking& labelled, int k) {
  const auto relevant = std::ranges::count_if(labelled.judged, is_relevant);
  const auto seen = std::span(labelled.grades).first(cut(labelled.grades.size(), k));
  if (relevant == 0) return 0;
  const auto found = std::ranges::count_if(
      seen, [](std::optional<int> grade) { return is_relevant(grade.value_or(0)); });
  return static_cast<double>(found) / static_cast<double>(relevant);
}

}  // namespace rsd
