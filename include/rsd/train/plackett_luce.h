// The Plackett-Luce distribution over rankings: the agent's policy (arXiv 2505.20316, section 4.2,
// its Bradley-Terry model in listwise form).
//
//   P(r | s) = prod_j exp(s[r_j]) / sum_{l >= j} exp(s[r_l])
//
// A ranking is drawn in stages: stage j picks one of the remaining items by a softmax of their
// scores. All functions are over the pending items, numbered 0..n-1. Scores are finite; shifting
// all of them changes nothing. Pure functions; safe from any thread.
#pragma once

#include <cstddef>
#include <random>
#include <span>
#include <vector>

namespace rsd {

// A function of the scores, with its gradient with respect to them.
struct ValueAndGradient {
  double value = 0;
  std::vector<double> gradient;  // one per item
};

// log P(ranking | scores), at most 0. `ranking` is a permutation of 0..n-1. O(n^2).
ValueAndGradient log_likelihood(std::span<const double> scores,
                                std::span<const std::size_t> ranking);

// The expected Kendall distance to `ranking` of a ranking drawn from P(. | scores): the number of
// pairs that the two order differently. It is exact, since the probability of a pair's order is a
// logistic function of the two scores: sum_{i before j} 1 / (1 + exp(s[r_i] - s[r_j])). O(n^2).
ValueAndGradient expected_inversions(std::span<const double> scores,
                                     std::span<const std::size_t> ranking);

// sum_j KL(P(stage j | scores) || P(stage j | reference)) along `ranking`, at least 0: each stage's
// categorical divergence is exact; the full divergence over n! rankings is intractable. The
// gradient is with respect to `scores`. O(n^2).
ValueAndGradient stagewise_kl(std::span<const double> scores, std::span<const double> reference,
                              std::span<const std::size_t> ranking);

// The sum of the entropies of the stages along `ranking`, in nats. O(n^2).
double stagewise_entropy(std::span<const double> scores, std::span<const std::size_t> ranking);

// A draw from the standard Gumbel distribution, from 53 random bits, since the distributions of
// <random> differ between standard libraries.
double gumbel_noise(std::mt19937_64& random);

// A ranking drawn from P(. | scores): best first by score + Gumbel noise. The same state of
// `random` gives the same ranking on every machine.
std::vector<std::size_t> sample_ranking(std::span<const double> scores, std::mt19937_64& random);

}  // namespace rsd
