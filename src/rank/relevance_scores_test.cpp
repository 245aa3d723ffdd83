#include "rsd/rank/relevance_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace rsd {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

Ranking ranking_of(const std::vector<int>& items) {
  std::vector<ItemId> ids(items.begin(), items.end());
  return *Ranking::create(std::move(ids));
}

void expect_strictly_decreasing(const std::vector<double>& scores) {
  for (std::size_t i = 1; i < scores.size(); ++i) {
    EXPECT_LT(static_cast<float>(scores[i]), static_cast<float>(scores[i - 1])) << i;
  }
}

TEST(RelevanceScores, TwoCandidatesGetTheBradleyTerryProbabilities) {
  const std::vector<float> row{1.0F, 3.0F};
  const auto scores = relevance_scores(ranking_of({1, 0}), row);
  const double wins = 1 / (1 + std::exp(-2.0));
  EXPECT_THAT(scores.relevance, ElementsAre(DoubleNear(wins, 2e-4), DoubleNear(1 - wins, 2e-4)));
  EXPECT_THAT(scores.raw,
              ElementsAre(DoubleNear(std::log(wins), 2e-4), DoubleNear(std::log(1 - wins), 2e-4)));
}

TEST(RelevanceScores, FollowTheRankingWhereTheFirstRowDisagrees) {
  const std::vector<float> row{4.0F, 1.0F, 2.0F, 0.0F};
  const auto scores = relevance_scores(ranking_of({0, 1, 2, 3}), row);
  expect_strictly_decreasing(scores.relevance);
  expect_strictly_decreasing(scores.raw);
  EXPECT_NEAR(scores.raw[1], scores.raw[2], 1e-3);  // pooled
}

TEST(RelevanceScores, StayApartAndWithinBoundsWhereTheLlmIsSure) {
  std::vector<float> row(100, -500.0F);
  row[0] = 500.0F;
  const auto scores = relevance_scores(Ranking::identity(100), row);
  expect_strictly_decreasing(scores.relevance);
  EXPECT_LE(scores.relevance.front(), 1);
  EXPECT_GT(scores.relevance.back(), 0);
}

TEST(RelevanceScores, AreRanksWhereNothingWasEncoded) {
  EXPECT_THAT(relevance_scores(Ranking::identity(4), {}).relevance,
              ElementsAre(1, 0.75, 0.5, 0.25));
  EXPECT_THAT(relevance_scores(Ranking::identity(1), std::vector<float>{2.0F}).relevance,
              ElementsAre(1));
}

}  // namespace
}  // namespace rsd
