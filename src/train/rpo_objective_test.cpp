#include "rsd/train/rpo_objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <utility>
#include <vector>

namespace rsd {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(Advantages, AreAgainstTheReferenceOrTheGroup) {
  const std::vector<double> returns{0.5, 0.75, 1.0};
  EXPECT_THAT(reference_advantages(returns, 0.5), ElementsAre(0, 0.25, 0.5));
  EXPECT_THAT(group_advantages(returns), ElementsAre(-0.25, 0, 0.25));
}

TEST(Advantages, AreTheReturnsThemselvesWhereNothingIsCompared) {
  const std::vector<double> returns{0.5, 0.75, 1.0};
  EXPECT_EQ(advantages_of(Advantage::kNone, AdvantageScale::kNone, returns, 0.5), returns);
  EXPECT_THAT(advantages_of(Advantage::kReference, AdvantageScale::kNone, returns, 0.5),
              ElementsAre(0, 0.25, 0.5));
  EXPECT_THAT(advantages_of(Advantage::kGroup, AdvantageScale::kNone, returns, 0.5),
              ElementsAre(-0.25, 0, 0.25));
}

TEST(Advantages, ScaledOnesAreInUnitsOfTheReturnsDeviation) {
  const std::vector<double> returns{0.5, 0.75, 1.0};
  const double deviation = std::sqrt((0.0625 + 0.0625) / 3);
  EXPECT_THAT(
      advantages_of(Advantage::kReference, AdvantageScale::kDeviation, returns, 0.5),
      ElementsAre(0, DoubleNear(0.25 / deviation, 1e-12), DoubleNear(0.5 / deviation, 1e-12)));
}

TEST(Advantages, ScaledOnesOfEqualReturnsAreZero) {
  const std::vector<double> returns(3, 0.1);  // whose mean is not exactly 0.1
  for (const Advantage advantage : {Advantage::kReference, Advantage::kGroup, Advantage::kNone})
    EXPECT_THAT(advantages_of(advantage, AdvantageScale::kDeviation, returns, 0.9),
                ElementsAre(0, 0, 0));
}

constexpr auto kReturnKinds = {ReturnKind::kSpearman, ReturnKind::kInversions,
                               ReturnKind::kLogError};

Ranking ranking_of(std::initializer_list<std::size_t> items) {
  std::vector<ItemId> ids;
  for (const std::size_t item : items)
    ids.emplace_back(item);
  return Ranking::create(std::move(ids)).value();
}

TEST(ReturnOf, IsOneForTheTargetAndZeroForItsReverse) {
  for (const ReturnKind kind : kReturnKinds) {
    EXPECT_DOUBLE_EQ(return_of(kind, ranking_of({2, 0, 1}), ranking_of({2, 0, 1})), 1);
    EXPECT_NEAR(return_of(kind, ranking_of({1, 0, 2}), ranking_of({2, 0, 1})), 0, 1e-12);
    EXPECT_EQ(return_of(kind, ranking_of({0}), ranking_of({0})), 1);
  }
}

// d: the sum of squared displacements, at most 4 * 15 / 3 = 20.
TEST(ReturnOf, IsThatComputedByHand) {
  const Ranking target = ranking_of({0, 1, 2, 3});
  const Ranking swapped = ranking_of({1, 0, 2, 3});  // d = 2, one pair
  EXPECT_DOUBLE_EQ(return_of(ReturnKind::kSpearman, swapped, target), 1 - 2.0 / 20);
  EXPECT_DOUBLE_EQ(return_of(ReturnKind::kInversions, swapped, target), 1 - 1.0 / 6);
  EXPECT_NEAR(return_of(ReturnKind::kLogError, swapped, target), 1 - std::log(3.0) / std::log(21.0),
              1e-12);
  const Ranking moved = ranking_of({1, 2, 3, 0});  // d = 12, three pairs
  EXPECT_DOUBLE_EQ(return_of(ReturnKind::kInversions, moved, target), 0.5);
  EXPECT_NEAR(return_of(ReturnKind::kLogError, moved, target), 1 - std::log(13.0) / std::log(21.0),
              1e-12);
}

TEST(ClippedSurrogate, IsTheRatioTimesTheAdvantageNearTheOldPolicy) {
  const Surrogate same = clipped_surrogate(-3, -3, 0.5, 0.2);
  EXPECT_DOUBLE_EQ(same.value, 0.5);
  EXPECT_DOUBLE_EQ(same.derivative, 0.5);
  const Surrogate more = clipped_surrogate(std::log(1.1), 0, -2, 0.2);
  EXPECT_DOUBLE_EQ(more.value, -2.2);
  EXPECT_DOUBLE_EQ(more.derivative, -2.2);
}

TEST(ClippedSurrogate, GainsNothingBeyondTheClip) {
  const Surrogate likelier = clipped_surrogate(std::log(2), 0, 0.5, 0.2);
  EXPECT_DOUBLE_EQ(likelier.value, 1.2 * 0.5);
  EXPECT_EQ(likelier.derivative, 0);
  const Surrogate unlikelier = clipped_surrogate(std::log(0.5), 0, -1, 0.2);
  EXPECT_DOUBLE_EQ(unlikelier.value, -0.8);
  EXPECT_EQ(unlikelier.derivative, 0);
}

TEST(ClippedSurrogate, StillUndoesWhatWentWrong) {
  // Likelier than before, and bad: the pessimistic side is not clipped.
  const Surrogate bad = clipped_surrogate(std::log(2), 0, -1, 0.2);
  EXPECT_DOUBLE_EQ(bad.value, -2);
  EXPECT_DOUBLE_EQ(bad.derivative, -2);
}

// Two items, scores (ln 3, 0): P(0 first) = 3/4.
const std::vector<double> kScores{std::log(3.0), 0.0};

TEST(ActionLoss, IsThatComputedByHand) {
  const Action action{.ranking = {0, 1},
                      .reference_scores = {0, 0},
                      .old_log_probability = std::log(0.75),
                      .advantage = 0.1};
  const ActionLoss loss = action_loss(kScores, action, {.clip = 0.2, .beta = 0.5});
  const double kl = 0.75 * std::log(1.5) + 0.25 * std::log(0.5);
  EXPECT_NEAR(loss.kl, kl, 1e-12);
  EXPECT_NEAR(loss.loss.value, -0.1 + 0.5 * kl, 1e-12);
  EXPECT_NEAR(loss.entropy, -0.75 * std::log(0.75) - 0.25 * std::log(0.25), 1e-12);
  EXPECT_FALSE(loss.clipped);
  // d log P / d s_0 = 1 - 3/4; d KL / d s_0 = 3/4 (ln 3/2 - KL).
  const double slope = -0.1 * 0.25 + 0.5 * 0.75 * (std::log(1.5) - kl);
  EXPECT_NEAR(loss.loss.gradient[0], slope, 1e-12);
  EXPECT_NEAR(loss.loss.gradient[1], -slope, 1e-12);
}

TEST(ActionLoss, GradientIsThatOfFiniteDifferences) {
  Action action{
      .ranking = {2, 0, 3, 1}, .reference_scores = {0.1, 0.2, 0.3, -0.5}, .advantage = -0.3};
  std::vector<double> scores{0.4, -0.6, 1.0, 0.2};
  action.old_log_probability = log_likelihood(scores, action.ranking).value - 0.05;
  const RpoTerms terms{.clip = 0.2, .beta = 0.07};
  const auto gradient = action_loss(scores, action, terms).loss.gradient;
  constexpr double kStep = 1e-6;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double at = scores[i];
    scores[i] = at + kStep;
    const double above = action_loss(scores, action, terms).loss.value;
    scores[i] = at - kStep;
    const double below = action_loss(scores, action, terms).loss.value;
    scores[i] = at;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-7) << "item " << i;
  }
}

TEST(ActionLoss, ClippedActionsArePulledToTheReferenceOnly) {
  const Action action{.ranking = {0, 1},
                      .reference_scores = {0, 0},
                      .old_log_probability = std::log(0.25),
                      .advantage = 1};
  const ActionLoss loss = action_loss(kScores, action, {.clip = 0.2, .beta = 0});
  EXPECT_TRUE(loss.clipped);
  EXPECT_THAT(loss.loss.gradient, ElementsAre(DoubleEq(0), DoubleEq(0)));
}

}  // namespace
}  // namespace rsd
