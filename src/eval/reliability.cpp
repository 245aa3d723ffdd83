#include "eval/reliability.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/fixed_decimals.h"

namespace rsd {
namespace {

constexpr std::size_t kBins = 10;

struct Reading {
  double probability = 0;
  bool is_relevant = false;
};

std::vector<Reading> readings_of(const std::vector<RequestRecord>& records, int relevant_from) {
  std::vector<Reading> readings;
  for (const RequestRecord& record : records) {
    if (!record.labels || record.relevance.empty()) continue;
    for (std::size_t i = 0; i < record.relevance.size(); ++i) {
      const double log_odds = record.relevance[i];
      readings.push_back({.probability = 1 / (1 + std::exp(-log_odds)),
                          .is_relevant = record.labels->grades[i].value_or(0) >= relevant_from});
    }
  }
  return readings;
}

std::vector<ReliabilityFigures::Bin> bins_of(const std::vector<Reading>& readings) {
  std::vector<ReliabilityFigures::Bin> bins(kBins);
  for (const Reading& reading : readings) {
    const auto b = static_cast<std::size_t>(reading.probability * kBins);
    ReliabilityFigures::Bin& bin = bins[std::min(b, kBins - 1)];
    ++bin.candidates;
    bin.probability += reading.probability;
    bin.relevant += reading.is_relevant ? 1 : 0;
  }
  std::erase_if(bins, [](const auto& bin) { return bin.candidates == 0; });
  for (ReliabilityFigures::Bin& bin : bins) {
    bin.probability /= static_cast<double>(bin.candidates);
    bin.relevant /= static_cast<double>(bin.candidates);
  }
  return bins;
}

// By the ranks of the relevant ones (Mann and Whitney); ties count half.
std::optional<double> area_under_roc(std::vector<Reading> readings) {
  std::ranges::sort(readings, {}, &Reading::probability);
  double rank_sum = 0;
  double n_relevant = 0;
  for (std::size_t from = 0; from < readings.size();) {
    std::size_t to = from;
    double n_relevant_here = 0;
    for (; to < readings.size() && readings[to].probability == readings[from].probability; ++to)
      n_relevant_here += readings[to].is_relevant ? 1 : 0;
    rank_sum += n_relevant_here * static_cast<double>(from + 1 + to) / 2;
    n_relevant += n_relevant_here;
    from = to;
  }
  const double n_others = static_cast<double>(readings.size()) - n_relevant;
  if (n_relevant == 0 || n_others == 0) return std::nullopt;
  return (rank_sum - n_relevant * (n_relevant + 1) / 2) / (n_relevant * n_others);
}

}  // namespace

std::optional<ReliabilityFigures> reliability_of(const std::vector<RequestRecord>& records,
                                                 int relevant_from) {
  const auto readings = readings_of(records, relevant_from);
  if (readings.empty()) return std::nullopt;
  const auto n = static_cast<double>(readings.size());
  ReliabilityFigures figures{
      .candidates = readings.size(), .relevant_from = relevant_from, .bins = bins_of(readings)};
  for (const Reading& reading : readings) {
    const double truth = reading.is_relevant ? 1 : 0;
    figures.relevant += truth / n;
    figures.brier += (reading.probability - truth) * (reading.probability - truth) / n;
  }
  for (const ReliabilityFigures::Bin& bin : figures.bins) {
    figures.calibration_error +=
        static_cast<double>(bin.candidates) / n * std::abs(bin.probability - bin.relevant);
  }
  figures.area_under_roc = area_under_roc(readings);
  return figures;
}

std::string reliability_sentence(const ReliabilityFigures& reliability) {
  const double always = reliability.relevant * (1 - reliability.relevant);
  const std::string from = reliability.relevant_from == 1
                               ? ""
                               : " (grades from " + std::to_string(reliability.relevant_from) + ")";
  std::string text = "Relevance as a probability, over " + std::to_string(reliability.candidates) +
                     " candidates of which " + fixed_decimals(100 * reliability.relevant, 1) +
                     " % are relevant" + from + ": Brier score " +
                     fixed_decimals(reliability.brier, 3) +
                     " (that share for all: " + fixed_decimals(always, 3) +
                     "), calibration error " + fixed_decimals(reliability.calibration_error, 3);
  if (reliability.area_under_roc)
    text += ", area under the ROC curve " + fixed_decimals(*reliability.area_under_roc, 3);
  return text + ".";
}

}  // namespace rsd
