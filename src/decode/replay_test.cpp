#include "rsd/decode/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/items.h"
#include "support/logits.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

TEST(DistinctRows, HoldEachPrefixOnce) {
  History history(3);
  ASSERT_TRUE(history.add({}, {0, 1}, matrix({{3, 2, 1}})));
  ASSERT_TRUE(history.add(items({0, 1, 2}), {1, 3}, matrix({{0, 1, 2}, {0, 1, 2}})));
  ASSERT_EQ(history.rounds().back().logits.n_rows(), 3U);  // the prompt's is carried over
  const auto rows = distinct_rows(history.rounds());
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(rows[0].prefix.empty());
  EXPECT_THAT(rows[1].prefix, ElementsAre(ItemId(0)));
  EXPECT_THAT(rows[2].prefix, ElementsAre(ItemId(0), ItemId(1)));
  EXPECT_THAT(rows[2].logits, ElementsAre(0, 1, 2));
}

// The second round continues after the first one's rows, with the same proposal.
TEST(DistinctRows, AreNoneTheFewerForRowsThatAnEarlierRoundDidNotEncode) {
  History history(4);
  const auto proposal = items({0, 1, 2, 3});
  ASSERT_TRUE(history.add(proposal, {0, 2}, matrix({{9, 0, 0, 0}, {0, 9, 0, 0}})));
  ASSERT_TRUE(history.add(proposal, {2, 4}, matrix({{0, 0, 0, 9}, {1, 2, 3, 4}})));
  const auto rows = distinct_rows(history.rounds());
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[2].prefix.size(), 2U);
  EXPECT_THAT(rows[3].logits, ElementsAre(1, 2, 3, 4));
}

TEST(Replay, IsArWhereEveryPrefixOnItsWayWasEncoded) {
  // One row for each place, sharp weights: nothing but these rows counts.
  const auto proposal = items({2, 0, 1});
  const LogitMatrix logits = matrix({{1, 0, 2}, {2, 1, 9}, {9, 1, 9}});
  std::vector<PrefixRow> rows;
  for (std::size_t j = 0; j < 3; ++j)
    rows.push_back({.prefix = std::span(proposal).first(j), .logits = logits.row(j)});
  const Replay replayed = replay(rows, {}, {.sharpness = 100});
  EXPECT_THAT(replayed.order, ElementsAreArray(proposal));
  EXPECT_THAT(replayed.distances, ElementsAre(0, 0, 0));
}

TEST(Replay, FollowsTheRowWhosePrefixIsMostAlike) {
  // After item 0 the LLM prefers 2, after item 3 it prefers 1.
  const auto after_0 = items({0});
  const auto after_3 = items({3});
  const std::vector<float> wants_2 = {0, 1, 2, 0};
  const std::vector<float> wants_1 = {0, 2, 1, 0};
  const std::vector<PrefixRow> rows = {{.prefix = after_0, .logits = wants_2},
                                       {.prefix = after_3, .logits = wants_1}};
  EXPECT_EQ(replay(rows, items({0})).order[1], ItemId(2));
  EXPECT_EQ(replay(rows, items({3})).order[1], ItemId(1));
}

TEST(Replay, WeighsTheRowsByTheDistanceOfTheirPrefixes) {
  // Known: item 0. The prefixes {} and {0, 1} are as far away: an item placed last counts 2.5, one
  // before it 1.5, and an item more in the prefix 0.3.
  const auto longer = items({0, 1});
  const std::vector<float> of_prompt = {0, 1, -1};
  const std::vector<float> of_longer = {0, 3, -3};
  const std::vector<PrefixRow> rows = {{.prefix = {}, .logits = of_prompt},
                                       {.prefix = longer, .logits = of_longer}};
  const Replay replayed = replay(rows, items({0}));
  const double far = std::exp(-((2.5 - 1.5 + 2.5 + 0.3) - (2.5 + 0.3)));
  EXPECT_NEAR(replayed.distances[0], 2.8, 1e-9);
  EXPECT_NEAR(replayed.rows.row(0)[1], (1 + far * 3) / (1 + far), 1e-6);
}

TEST(Replay, MakesUpForWhatALogitLosesOnceItsItemIsPlaced) {
  // Each item's logit falls by 8 after its place; apart from that, all rows are equal.
  const auto wrong = items({2, 1, 0});
  const LogitMatrix logits = matrix({{3, 2, 1}, {3, 2, -7}, {3, -6, -7}});
  std::vector<PrefixRow> rows;
  for (std::size_t j = 0; j < 3; ++j)
    rows.push_back({.prefix = std::span(wrong).first(j), .logits = logits.row(j)});
  const Replay replayed = replay(rows, {}, {.sharpness = 0.01});
  EXPECT_THAT(replayed.order, ElementsAreArray(items({0, 1, 2})));
  const auto row = replayed.rows.row(0);
  EXPECT_NEAR(row[0] - row[1], 1, 1e-5);
  EXPECT_NEAR(row[1] - row[2], 1, 1e-5);
}

TEST(Replay, TrustsARowTheLessAboutItsOwnPrefixTheMoreItsLogitsDropThere) {
  // Items lose 6 and 8 once they are placed, 7 on average.
  const auto proposal = items({2, 1, 0});
  const LogitMatrix logits = matrix({{3, 2, 1}, {3, 2, -5}, {3, -6, -7}});
  std::vector<PrefixRow> rows;
  for (std::size_t j = 0; j < 3; ++j)
    rows.push_back({.prefix = std::span(proposal).first(j), .logits = logits.row(j)});
  const Replay replayed = replay(rows, {}, {.sharpness = 1e-9});
  // With a correction of 7 and each row's mean subtracted, item 2 has -1, -1/3 and -4/3 in them;
  // the last two rows have it in their prefixes.
  const double trust = 1 / (1 + 7.0 * 7.0);
  EXPECT_NEAR(replayed.rows.row(0)[2], (-1 - trust / 3 - trust * 4 / 3) / (1 + 2 * trust), 1e-5);
}

TEST(Replay, KeepsTheKnownItemsInFront) {
  const std::vector<float> logits = {0, 1, 2, 3};
  const std::vector<PrefixRow> rows = {{.prefix = {}, .logits = logits}};
  EXPECT_THAT(replay(rows, items({1, 0})).order, ElementsAreArray(items({1, 0, 3, 2})));
  EXPECT_THAT(replay(rows, items({1, 0, 2, 3})).order, ElementsAreArray(items({1, 0, 2, 3})));
}

}  // namespace
}  // namespace rsd
