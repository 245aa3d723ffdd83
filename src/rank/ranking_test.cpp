#include "rsd/rank/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace rsd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<ItemId> items(const std::vector<int>& values) {
  return {values.begin(), values.end()};
}

using Order = std::vector<int>;

Order order(const Ranking& ranking) {
  Order values;
  for (const ItemId item : ranking.items())
    values.push_back(item.value());
  return values;
}

TEST(Ranking, ItemsAndPositionsDoNotMix) {
  static_assert(!std::is_convertible_v<ItemId, Position>);
  static_assert(!std::is_convertible_v<int, ItemId>);
  static_assert(!std::is_invocable_v<decltype(&Ranking::at), const Ranking&, ItemId>);
}

TEST(Ranking, IdentityIsTheInputOrder) {
  EXPECT_EQ(order(Ranking::identity(4)), (Order{0, 1, 2, 3}));
  EXPECT_EQ(Ranking::identity(0), Ranking());
}

TEST(Ranking, PermutationIsAcceptedAsItIs) {
  const auto ranking = Ranking::create(items({2, 0, 3, 1}));
  ASSERT_TRUE(ranking.ok());
  EXPECT_EQ(order(*ranking), (Order{2, 0, 3, 1}));
  EXPECT_EQ(ranking->size(), 4U);
  EXPECT_EQ(ranking->at(Position(2)), ItemId(3));
}

TEST(Ranking, EmptyListIsTheEmptyRanking) {
  const auto ranking = Ranking::create({});
  ASSERT_TRUE(ranking.ok());
  EXPECT_EQ(*ranking, Ranking());
  EXPECT_TRUE(ranking->positions().empty());
}

TEST(Ranking, DuplicateItemIsRejectedAndBothPositionsAreNamed) {
  const auto ranking = Ranking::create(items({2, 0, 1, 0}));
  ASSERT_FALSE(ranking.ok());
  EXPECT_EQ(ranking.error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(ranking.error().message(),
            "a ranking of 4 items holds item 0 at position 3 and at position 1");
}

TEST(Ranking, ItemBeyondTheListIsRejectedAndTheLimitIsNamed) {
  const auto ranking = Ranking::create(items({0, 3, 1}));
  ASSERT_FALSE(ranking.ok());
  EXPECT_EQ(ranking.error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(ranking.error().message(),
            "a ranking of 3 items holds item 3 at position 1, outside 0..2");
}

TEST(Ranking, NegativeItemIsRejected) {
  const auto ranking = Ranking::create(items({0, -1}));
  ASSERT_FALSE(ranking.ok());
  EXPECT_THAT(ranking.error().message(), AllOf(HasSubstr("item -1"), HasSubstr("0..1")));
}

TEST(Ranking, PositionsAreTheInversePermutation) {
  const auto positions = Ranking::create(items({2, 0, 3, 1}))->positions();
  EXPECT_EQ(positions, (std::vector<Position>{Position(1), Position(3), Position(0), Position(2)}));
}

TEST(RankingByScore, HigherScoreComesFirst) {
  EXPECT_EQ(order(Ranking::by_score(std::vector{-3.5, 2.0, -0.25, 7.0})), (Order{3, 1, 2, 0}));
}

TEST(RankingByScore, TiesKeepInputOrder) {
  EXPECT_EQ(order(Ranking::by_score(std::vector{1.0, 2.0, 1.0, 2.0, 1.0})), (Order{1, 3, 0, 2, 4}));
  EXPECT_EQ(order(Ranking::by_score(std::vector{0.0, -0.0, 0.0})), (Order{0, 1, 2}));
}

TEST(RankingByScore, InfiniteScoresStandAtTheEnds) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(order(Ranking::by_score(std::vector{-kInfinity, 0.0, kInfinity, -kInfinity})),
            (Order{2, 1, 0, 3}));
}

TEST(RankingByScore, NanIsABrokenInvariant) {
  const std::vector scores{1.0, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(Ranking::by_score(scores), LogicError);
}

TEST(RankingWithPrefix, PrefixStandsFirstWhateverItsScores) {
  EXPECT_EQ(order(Ranking::with_prefix(items({3, 0}), std::vector{0.0, 5.0, 7.0, -9.0, 6.0})),
            (Order{3, 0, 2, 4, 1}));
}

TEST(RankingWithPrefix, TiesAfterThePrefixKeepInputOrder) {
  EXPECT_EQ(order(Ranking::with_prefix(items({2}), std::vector(5, 1.0))), (Order{2, 0, 1, 3, 4}));
}

TEST(RankingWithPrefix, WholePrefixLeavesNothingToTheScores) {
  EXPECT_EQ(order(Ranking::with_prefix(items({1, 2, 0}), std::vector{3.0, 2.0, 1.0})),
            (Order{1, 2, 0}));
}

TEST(RankingWithPrefix, RepeatedOrForeignPrefixItemIsABrokenInvariant) {
  const std::vector scores{1.0, 2.0};
  EXPECT_THROW(Ranking::with_prefix(items({1, 1}), scores), LogicError);
  EXPECT_THROW(Ranking::with_prefix(items({2}), scores), LogicError);
  EXPECT_THROW(Ranking::with_prefix(items({-1}), scores), LogicError);
}

// Scores are drawn from a few values, so that most have ties.
TEST(RankingProperty, OutputPermutesInputAndKeepsThePrefixAndSortsTheRest) {
  constexpr std::uint32_t kSeed = 7;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  for (int repeat = 0; repeat < 500; ++repeat) {
    const std::size_t n = random() % 40;
    std::vector<double> scores(n);
    for (double& score : scores)
      score = static_cast<double>(random() % 8) - 4;
    std::vector<ItemId> shuffled = items(order(Ranking::identity(n)));
    std::ranges::shuffle(shuffled, random);
    const std::span prefix = std::span(shuffled).first(n == 0 ? 0 : random() % (n + 1));

    const Ranking ranking = Ranking::with_prefix(prefix, scores);

    const auto all = ranking.items();
    EXPECT_TRUE(Ranking::create({all.begin(), all.end()}).ok());
    ASSERT_EQ(all.size(), n);
    EXPECT_TRUE(std::ranges::equal(all.first(prefix.size()), prefix));
    const auto rest = all.subspan(prefix.size());
    EXPECT_TRUE(std::ranges::is_sorted(rest, [&scores](ItemId a, ItemId b) {
      const double first = scores[a.slot()];
      const double second = scores[b.slot()];
      return first > second || (first == second && a < b);
    }));
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(ranking.at(ranking.positions()[i]), ItemId(i));
    }
  }
}

}  // namespace
}  // namespace rsd
