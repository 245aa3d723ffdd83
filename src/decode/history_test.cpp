#include "rsd/decode/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "support/items.h"
#include "support/logits.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(MaskedArgmax, SkipsPlacedItems) {
  EXPECT_EQ(masked_argmax(std::vector<float>{3, 2, 1}, {true, false, false}), ItemId(1));
}

TEST(MaskedArgmax, TiesGoToTheLowerIndex) {
  EXPECT_EQ(masked_argmax(std::vector<float>{1, 5, 5}, {false, false, false}), ItemId(1));
}

TEST(MaskedArgmax, WithEveryItemPlacedIsADefect) {
  EXPECT_THROW(masked_argmax(std::vector<float>{1, 2}, {true, true}), LogicError);
}

TEST(History, SingleItemIsKnownFromTheStart) {
  const History history(1);
  EXPECT_TRUE(history.complete());
  EXPECT_THAT(history.known(), ElementsAre(ItemId(0)));
}

TEST(History, OfTwoItemsOneRowTellsBoth) {
  History history(2);
  ASSERT_TRUE(history.add({}, {0, 1}, matrix({{1, 2}})));
  EXPECT_THAT(history.known(), ElementsAre(ItemId(1), ItemId(0)));
}

TEST(History, FirstDisagreementAddsTheItemThatBelongsThere) {
  History history(4);
  // The proposal is 2, 0, 1, 3. Row 0 agrees, row 1 wants item 3.
  ASSERT_TRUE(history.add(items({2, 0, 1, 3}), {0, 4},
                          matrix({{0, 1, 9, 2}, {1, 2, 9, 5}, {9, 9, 9, 9}, {9, 9, 9, 9}})));
  EXPECT_THAT(history.known(), ElementsAre(ItemId(2), ItemId(3)));
  EXPECT_EQ(history.rounds().back().accepted, 1U);
  EXPECT_EQ(history.rounds().back().known, 2U);
}

TEST(History, RowsBehindTheDisagreementDoNotExtendTheKnownPrefix) {
  History history(4);
  // Row 1 disagrees; row 2 would agree, but on a wrong prefix.
  ASSERT_TRUE(history.add(items({0, 1, 2, 3}), {0, 4},
                          matrix({{9, 0, 0, 0}, {0, 1, 2, 3}, {0, 0, 9, 0}, {0, 0, 0, 9}})));
  EXPECT_THAT(history.known(), ElementsAre(ItemId(0), ItemId(3)));
}

TEST(History, FullAgreementCompletesTheRanking) {
  History history(3);
  ASSERT_TRUE(history.add(items({1, 2, 0}), {0, 3}, matrix({{0, 9, 1}, {1, 0, 9}, {9, 9, 9}})));
  EXPECT_TRUE(history.complete());
  EXPECT_EQ(history.rounds().back().accepted, 3U);
}

TEST(History, RowsThatDidNotChangeAreCarriedOver) {
  History history(4);
  ASSERT_TRUE(history.add(items({0, 1, 2, 3}), {0, 4},
                          matrix({{9, 0, 0, 0}, {0, 1, 2, 3}, {5, 5, 5, 5}, {6, 6, 6, 6}})));
  const auto proposal = items({0, 3, 1, 2});
  EXPECT_EQ(history.missing_rows(proposal, 4), (RowRange{2, 4}));
  ASSERT_TRUE(history.add(proposal, {2, 4}, matrix({{7, 8, 7, 7}, {7, 7, 7, 7}})));
  const LogitMatrix& logits = history.rounds().back().logits;
  EXPECT_THAT(logits.row(1), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(logits.row(2), ElementsAre(7, 8, 7, 7));
  EXPECT_THAT(history.known(), ElementsAre(ItemId(0), ItemId(3), ItemId(1), ItemId(2)));
}

TEST(History, NaNLogitIsAnErrorThatNamesPositionAndItem) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    History history(3);
    const auto added =
        history.add(items({0, 1, 2}), {0, 3}, matrix({{9, 0, 0}, {0, bad, 2}, {0, 0, 0}}));
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error().code(), ErrorCode::kRuntime);
    EXPECT_THAT(added.error().message(), HasSubstr("position 1 for item 1"));
    EXPECT_TRUE(history.rounds().empty());
    EXPECT_TRUE(history.known().empty());
  }
}

TEST(History, ProposalWithoutTheKnownPrefixIsADefect) {
  History history(3);
  ASSERT_TRUE(history.add({}, {0, 1}, matrix({{0, 9, 0}})));
  EXPECT_THROW(
      static_cast<void>(history.add(items({0, 1, 2}), {1, 3}, matrix({{0, 0, 0}, {0, 0, 0}}))),
      LogicError);
}

}  // namespace
}  // namespace rsd
