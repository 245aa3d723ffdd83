#include "rsd/train/plackett_luce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "rsd/core/check.h"

namespace rsd {
namespace {

using Order = std::vector<std::size_t>;
using ::testing::Each;
using ::testing::ElementsAre;

const std::vector<double> kScores{0.5, -1.0, 2.0, 0.1};
const Order kRanking{2, 1, 0, 3};

// Central differences of `function` at `scores`.
std::vector<double> numerical_gradient(
    std::vector<double> scores, const std::function<double(const std::vector<double>&)>& function) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient;
  for (double& score : scores) {
    const double at = score;
    score = at + kStep;
    const double above = function(scores);
    score = at - kStep;
    gradient.push_back((above - function(scores)) / (2 * kStep));
    score = at;
  }
  return gradient;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], 1e-8) << "item " << i;
}

TEST(PlackettLuce, LikelihoodIsTheProductOfTheStages) {
  // Weights exp(s): 1, 2, 5. P(2, 1, 0) = 5/8 * 2/3 * 1.
  const std::vector<double> scores{0.0, std::log(2.0), std::log(5.0)};
  EXPECT_DOUBLE_EQ(log_likelihood(scores, Order{2, 1, 0}).value, std::log(5.0 / 8 * 2 / 3));
  EXPECT_DOUBLE_EQ(log_likelihood(scores, Order{0, 1, 2}).value, std::log(1.0 / 8 * 2 / 7));
}

TEST(PlackettLuce, ExpectedInversionsAreTheMeanOverAllRankings) {
  const auto place = [](const Order& order, std::size_t item) {
    return std::ranges::find(order, item) - order.begin();
  };
  Order order{0, 1, 2, 3};
  double mean = 0;
  do {
    int inversions = 0;
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = i + 1; j < 4; ++j)
        inversions += place(order, kRanking[i]) > place(order, kRanking[j]) ? 1 : 0;
    mean += inversions * std::exp(log_likelihood(kScores, order).value);
  } while (std::ranges::next_permutation(order).found);
  EXPECT_NEAR(expected_inversions(kScores, kRanking).value, mean, 1e-12);
}

TEST(PlackettLuce, GradientOfTheExpectedInversionsIsThatOfFiniteDifferences) {
  const auto value = [](const std::vector<double>& scores) {
    return expected_inversions(scores, kRanking).value;
  };
  expect_near(expected_inversions(kScores, kRanking).gradient, numerical_gradient(kScores, value));
}

TEST(PlackettLuce, ProbabilitiesOfAllRankingsSumToOne) {
  Order order{0, 1, 2, 3};
  double sum = 0;
  do {
    sum += std::exp(log_likelihood(kScores, order).value);
  } while (std::ranges::next_permutation(order).found);
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(PlackettLuce, GradientsAreThoseOfFiniteDifferences) {
  const std::vector<double> reference{0.0, 0.3, -0.7, 1.0};
  expect_near(
      log_likelihood(kScores, kRanking).gradient,
      numerical_gradient(kScores, [](const auto& s) { return log_likelihood(s, kRanking).value; }));
  expect_near(stagewise_kl(kScores, reference, kRanking).gradient,
              numerical_gradient(kScores, [&](const auto& s) {
                return stagewise_kl(s, reference, kRanking).value;
              }));
}

TEST(PlackettLuce, DivergenceIsThatOfEachStage) {
  // Two items: one stage with p = (3/4, 1/4) against q = (1/2, 1/2), and one without a choice.
  const std::vector<double> scores{std::log(3.0), 0.0};
  const double expected = 0.75 * std::log(1.5) + 0.25 * std::log(0.5);
  EXPECT_NEAR(stagewise_kl(scores, std::vector<double>{0, 0}, Order{0, 1}).value, expected, 1e-12);
  // Three items, weights 2, 1, 1 against equal ones: (1/2, 1/4, 1/4), then (2/3, 1/3).
  const double first = 0.5 * std::log(1.5) + 0.5 * std::log(0.75);
  const double second = 2.0 / 3 * std::log(4.0 / 3) + 1.0 / 3 * std::log(2.0 / 3);
  EXPECT_NEAR(stagewise_kl(std::vector<double>{std::log(2.0), 0, 0}, std::vector<double>{0, 0, 0},
                           Order{1, 0, 2})
                  .value,
              first + second, 1e-12);
}

TEST(PlackettLuce, DivergenceFromItselfIsZeroAndSoIsItsGradient) {
  const auto same = stagewise_kl(kScores, kScores, kRanking);
  EXPECT_NEAR(same.value, 0, 1e-12);
  EXPECT_THAT(same.gradient, Each(::testing::DoubleNear(0, 1e-12)));
}

TEST(PlackettLuce, EntropyOfEqualScoresIsThatOfAllRankings) {
  EXPECT_NEAR(stagewise_entropy(std::vector<double>(4, 7.0), kRanking), std::log(24.0), 1e-12);
  EXPECT_NEAR(stagewise_entropy(std::vector<double>{900, 0}, Order{0, 1}), 0, 1e-12);
}

TEST(PlackettLuce, LargeScoresDoNotOverflow) {
  const std::vector<double> scores{1e4, 0, -1e4};
  const auto likely = log_likelihood(scores, Order{0, 1, 2});
  EXPECT_DOUBLE_EQ(likely.value, 0);
  EXPECT_DOUBLE_EQ(log_likelihood(scores, Order{2, 1, 0}).value, -3e4);
  EXPECT_TRUE(std::ranges::all_of(likely.gradient, [](double g) { return std::isfinite(g); }));
}

TEST(PlackettLuce, SamplesHaveTheProbabilitiesOfTheDistribution) {
  std::mt19937_64 random(20261124);
  constexpr int kSamples = 20000;
  const std::vector<double> scores{0.0, 1.0, -0.5};
  std::map<Order, int> counts;
  for (int n = 0; n < kSamples; ++n)
    ++counts[sample_ranking(scores, random)];
  EXPECT_EQ(counts.size(), 6U);
  for (const auto& [order, count] : counts) {
    const double expected = std::exp(log_likelihood(scores, order).value);
    EXPECT_NEAR(static_cast<double>(count) / kSamples, expected, 0.015);
  }
}

TEST(PlackettLuce, SamplesAreTheSameOnEveryMachine) {
  std::mt19937_64 random(1);  // recorded once: training must be reproducible
  EXPECT_THAT(sample_ranking(std::vector<double>(5, 0.0), random), ElementsAre(2, 4, 1, 0, 3));
}

TEST(PlackettLuce, RankingsThatAreNoPermutationAreDefects) {
  EXPECT_THROW(static_cast<void>(log_likelihood(kScores, Order{0, 1, 2})), LogicError);
  EXPECT_THROW(static_cast<void>(log_likelihood(kScores, Order{0, 1, 2, 2})), LogicError);
}

}  // namespace
}  // namespace rsd
