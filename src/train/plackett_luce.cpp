#include "rsd/train/plackett_luce.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "rsd/core/check.h"

namespace rsd {
namespace {

void check_permutation(std::span<const double> scores, std::span<const std::size_t> ranking) {
  RSD_CHECK(scores.size() == ranking.size(), "a ranking of other items");
  std::vector<char> seen(scores.size(), 0);
  for (const std::size_t item : ranking) {
    RSD_CHECK(item < seen.size() && !seen[item], "a ranking that is no permutation");
    seen[item] = 1;
  }
}

// log sum_{l >= j} exp(s[r_l]), for every stage j.
std::vector<double> normalisers(std::span<const double> scores,
                                std::span<const std::size_t> ranking) {
  std::vector<double> result(ranking.size());
  double sum = -INFINITY;
  for (std::size_t j = ranking.size(); j-- > 0;) {
    const double score = scores[ranking[j]];
    const double highest = std::max(sum, score);
    sum = highest + std::log(std::exp(sum - highest) + std::exp(score - highest));
    result[j] = sum;
  }
  return result;
}

}  // namespace

double gumbel_noise(std::mt19937_64& random) {
  constexpr double kScale = 1.0 / 9007199254740992.0;  // 2^-53
  const double uniform = (static_cast<double>(random() >> 11U) + 0.5) * kScale;
  return -std::log(-std::log(uniform));
}

ValueAndGradient log_likelihood(std::span<const double> scores,
                                std::span<const std::size_t> ranking) {
  check_permutation(scores, ranking);
  const auto normaliser = normalisers(scores, ranking);
  ValueAndGradient result{.gradient = std::vector<double>(scores.size(), 0.0)};
  for (std::size_t j = 0; j < ranking.size(); ++j) {
    result.value += scores[ranking[j]] - normaliser[j];
    result.gradient[ranking[j]] += 1;
    for (const std::size_t item : ranking.subspan(j))
      result.gradient[item] -= std::exp(scores[item] - normaliser[j]);
  }
  return result;
}

ValueAndGradient expected_inversions(std::span<const double> scores,
                                     std::span<const std::size_t> ranking) {
  check_permutation(scores, ranking);
  ValueAndGradient result{.gradient = std::vector<double>(scores.size(), 0.0)};
  for (std::size_t j = 0; j < ranking.size(); ++j) {
    for (const std::size_t later : ranking.subspan(j + 1)) {
      const double inverted = 1 / (1 + std::exp(scores[ranking[j]] - scores[later]));
      const double slope = inverted * (1 - inverted);
      result.value += inverted;
      result.gradient[ranking[j]] -= slope;
      result.gradient[later] += slope;
    }
  }
  return result;
}

ValueAndGradient stagewise_kl(std::span<const double> scores, std::span<const double> reference,
                              std::span<const std::size_t> ranking) {
  check_permutation(scores, ranking);
  check_permutation(reference, ranking);
  const auto normaliser = normalisers(scores, ranking);
  const auto reference_normaliser = normalisers(reference, ranking);
  ValueAndGradient result{.gradient = std::vector<double>(scores.size(), 0.0)};
  for (std::size_t j = 0; j < ranking.size(); ++j) {
    const auto log_ratio = [&](std::size_t item) {
      return (scores[item] - normaliser[j]) - (reference[item] - reference_normaliser[j]);
    };
    double divergence = 0;
    for (const std::size_t item : ranking.subspan(j))
      divergence += std::exp(scores[item] - normaliser[j]) * log_ratio(item);
    result.value += divergence;
    for (const std::size_t item : ranking.subspan(j)) {
      const double probability = std::exp(scores[item] - normaliser[j]);
      result.gradient[item] += probability * (log_ratio(item) - divergence);
    }
  }
  return result;
}

double stagewise_entropy(std::span<const double> scores, std::span<const std::size_t> ranking) {
  check_permutation(scores, ranking);
  const auto normaliser = normalisers(scores, ranking);
  double entropy = 0;
  for (std::size_t j = 0; j < ranking.size(); ++j) {
    for (const std::size_t item : ranking.subspan(j)) {
      const double log_probability = scores[item] - normaliser[j];
      entropy -= std::exp(log_probability) * log_probability;
    }
  }
  return entropy;
}

std::vector<std::size_t> sample_ranking(std::span<const double> scores, std::mt19937_64& random) {
  std::vector<double> noisy(scores.begin(), scores.end());
  for (double& score : noisy)
    score += gumbel_noise(random);
  std::vector<std::size_t> ranking(scores.size());
  std::iota(ranking.begin(), ranking.end(), std::size_t{0});
  std::ranges::stable_sort(ranking,
                           [&](std::size_t a, std::size_t b) { return noisy[a] > noisy[b]; });
  return ranking;
}

}  // namespace rsd
