// Relevance scores for the positions of a ranking.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rsd/rank/ranking.h"

namespace rsd {

// (K - position) / K: in (0, 1], the same for every ranking of K candidates.
constexpr double rank_score(std::size_t position, std::size_t n_items) noexcept {
  return static_cast<double>(n_items - position) / static_cast<double>(n_items);
}

// Each has one score per position of the ranking, best first, strictly decreasing.
struct RelevanceScores {
  // In (0, 1]: the share of the other candidates that the candidate beats, each duel won with the
  // probability that the Bradley-Terry model gives it by the raw scores.
  std::vector<double> relevance;
  // The logarithm of the probability that the LLM puts the candidate first, moved as little as it
  // takes to be in the ranking's order (isotonic regression by least squares).
  std::vector<double> raw;
};

// `first_row`: the LLM's logits after the prompt, one per item. If it is empty, because nothing was
// encoded, the scores are ranks, (K - position) / K, and their logarithms. O(K^2).
RelevanceScores relevance_scores(const Ranking& ranking, std::span<const float> first_row);

}  // namespace rsd
