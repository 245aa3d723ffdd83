#include "rsd/rank/relevance_scores.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "rsd/core/check.h"

namespace rsd {
namespace {

// What keeps neighbours apart, also as 32-bit floats: a share of the scores that are ranks.
constexpr double kShareOfRanks = 1e-4;

// log(softmax(row)), in the ranking's order.
std::vector<double> log_probs(const Ranking& ranking, std::span<const float> row) {
  const double highest = *std::ranges::max_element(row);
  double sum = 0;
  for (const float logit : row)
    sum += std::exp(static_cast<double>(logit) - highest);
  std::vector<double> values;
  values.reserve(row.size());
  for (const ItemId item : ranking.items())
    values.push_back(static_cast<double>(row[item.slot()]) - highest - std::log(sum));
  return values;
}

// The nearest sequence that never rises: neighbours that do are pooled to their mean (pool adjacent
// violators; Ayer et al. 1955).
std::vector<double> without_rises(const std::vector<double>& values) {
  struct Pool {
    double mean;
    std::size_t size;
  };
  std::vector<Pool> pools;
  pools.reserve(values.size());
  for (const double value : values) {
    pools.push_back({value, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean < pools.back().mean) {
      const Pool last = pools.back();
      pools.pop_back();
      Pool& before = pools.back();
      const auto n_before = static_cast<double>(before.size);
      const auto n_last = static_cast<double>(last.size);
      before.mean = (before.mean * n_before + last.mean * n_last) / (n_before + n_last);
      before.size += last.size;
    }
  }
  std::vector<double> fitted;
  fitted.reserve(values.size());
  for (const Pool& pool : pools)
    fitted.insert(fitted.end(), pool.size, pool.mean);
  return fitted;
}

double win_share(const std::vector<double>& strengths, std::size_t position) {
  double wins = 0;
  for (std::size_t other = 0; other < strengths.size(); ++other) {
    if (other != position) wins += 1 / (1 + std::exp(strengths[other] - strengths[position]));
  }
  return wins / static_cast<double>(strengths.size() - 1);
}

}  // namespace

RelevanceScores relevance_scores(const Ranking& ranking, std::span<const float> first_row) {
  const std::size_t n_items = ranking.size();
  RSD_CHECK(first_row.empty() || first_row.size() == n_items, "a row of another request");
  RelevanceScores scores;
  scores.relevance.reserve(n_items);
  scores.raw.reserve(n_items);
  const bool any_row = !first_row.empty() && n_items > 1;
  const std::vector<double> strengths =
      any_row ? without_rises(log_probs(ranking, first_row)) : std::vector<double>();
  for (std::size_t position = 0; position < n_items; ++position) {
    const double rank = rank_score(position, n_items);
    if (any_row) {
      scores.relevance.push_back((1 - kShareOfRanks) * win_share(strengths, position) +
                                 kShareOfRanks * rank);
      scores.raw.push_back(strengths[position] + kShareOfRanks * (rank - 1));
    } else {
      scores.relevance.push_back(rank);
      scores.raw.push_back(std::log(rank));
    }
  }
  return scores;
}

}  // namespace rsd
