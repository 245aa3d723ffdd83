#include "rsd/decode/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <vector>

#include "support/items.h"
#include "support/logits.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
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

TEST(History, OneRowMakesBothOfTwoItemsKnown) {
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

TEST(History, RowsAfterTheDisagreementDoNotExtendTheKnownPrefix) {
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

// A whole list in each round, which is wrong from the first open position on: as many rounds as
// there are.
History with_rounds(std::size_t n_items, std::size_t n_rounds, std::size_t n_recent) {
  History history(n_items, n_recent);
  for (std::size_t t = 0; t < n_rounds; ++t) {
    std::vector<ItemId> proposal(history.known().begin(), history.known().end());
    for (std::size_t i = 0; i < n_items; ++i)
      if (!history.placed()[i]) proposal.emplace_back(i);
    const RowRange rows = history.missing_rows(proposal, n_items);
    LogitMatrix logits(rows.size(), n_items);
    for (std::size_t j = 0; j < rows.size(); ++j)
      for (std::size_t i = 0; i < n_items; ++i)
        logits.row(j)[i] = static_cast<float>(i);  // the last item that is left
    EXPECT_TRUE(history.add(std::move(proposal), rows, logits));
  }
  return history;
}

// Rows that are stored, and pointers to them.
struct Stored {
  std::set<const float*> rows;
  std::size_t n_pointers = 0;

  void add(const SharedRows& of) {
    for (std::size_t j = 0; j < of.n_kept(); ++j)
      rows.insert(of.row(j).data());
    n_pointers += of.n_kept();
  }
};

Stored stored(const History& history) {
  Stored all;
  for (const Round& round : history.rounds())
    all.add(round.logits);
  all.add(history.latest_rows());
  return all;
}

TEST(History, StoresRowsInProportionToItsItemsWhateverTheNumberOfRounds) {
  constexpr std::size_t kItems = 120;
  const History history = with_rounds(kItems, kItems - 1, kRecentRounds);
  ASSERT_TRUE(history.complete());
  ASSERT_EQ(history.rounds().size(), kItems - 1);
  EXPECT_LE(stored(history).rows.size(), (kRecentRounds + 1) * kItems);
  EXPECT_LE(stored(history).n_pointers, kItems * kItems);
}

TEST(History, StoresEachRowOnceHoweverManyRoundsHoldIt) {
  constexpr std::size_t kItems = 30;
  const History history = with_rounds(kItems, kItems - 1, kEveryRound);
  // Each round makes one more position known, and the rows after it are computed again.
  std::size_t n_computed = kItems;
  for (std::size_t t = 1; t + 1 < kItems; ++t)
    n_computed += kItems - t;
  EXPECT_EQ(stored(history).rows.size(), n_computed);
  EXPECT_EQ(history.rounds()[20].logits.row(3).data(), history.rounds()[5].logits.row(3).data());
}

TEST(History, CopySharesTheRows) {
  const History history = with_rounds(10, 3, kRecentRounds);
  const History copy = history;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(copy.rounds()[1].logits.row(4).data(), history.rounds()[1].logits.row(4).data());
}

TEST(History, OfRoundsThatAreNotRecentForgetsTheRowsAfterTheFirstDisagreement) {
  const History history = with_rounds(12, 7, 2);
  for (std::size_t t = 0; t < 7; ++t) {
    const Round& round = history.rounds()[t];
    SCOPED_TRACE(t);
    EXPECT_EQ(round.logits.n_rows(), 12U);
    EXPECT_EQ(round.logits.n_kept(), t < 5 ? round.accepted + 1 : 12U);
    EXPECT_NO_THROW(static_cast<void>(round.logits.row(round.accepted)));
  }
  EXPECT_THROW(static_cast<void>(history.rounds()[4].logits.row(11)), LogicError);
}

TEST(History, KeepsTheLatestRowOfEachPosition) {
  History history(4, 1);
  ASSERT_TRUE(history.add(items({0, 1, 2, 3}), {0, 4},
                          matrix({{9, 0, 0, 0}, {0, 1, 2, 3}, {5, 5, 5, 5}, {6, 6, 6, 6}})));
  ASSERT_TRUE(history.add(items({0, 3, 1, 2}), {2, 3}, matrix({{7, 8, 7, 7}})));
  ASSERT_EQ(history.latest_rows().n_rows(), 4U);
  EXPECT_THAT(history.latest_rows().row(1), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(history.latest_rows().row(2), ElementsAre(7, 8, 7, 7));
  EXPECT_THAT(history.latest_rows().row(3), ElementsAre(6, 6, 6, 6));
  EXPECT_EQ(history.latest_round(2), 1U);
  EXPECT_EQ(history.latest_round(3), 0U);
}

TEST(History, AfterItsFirstRoundsIsWhatItWasThen) {
  const History history = with_rounds(12, 7, kEveryRound);
  const History earlier = history.after(4);
  const History then = with_rounds(12, 4, kEveryRound);
  ASSERT_EQ(earlier.rounds().size(), 4U);
  EXPECT_THAT(earlier.known(), ElementsAreArray(then.known()));
  EXPECT_EQ(earlier.placed(), then.placed());
  EXPECT_THAT(LogitMatrix(earlier.latest_rows()).values(),
              ElementsAreArray(LogitMatrix(then.latest_rows()).values()));
  EXPECT_EQ(earlier.latest_round(11), then.latest_round(11));
  EXPECT_TRUE(history.after(0).known().empty());
}

TEST(History, WithForgottenRowsHasNoEarlierState) {
  EXPECT_THROW(static_cast<void>(with_rounds(12, 7, 2).after(4)), LogicError);
}

TEST(SharedRows, AreAMatrixOfTheSameNumbers) {
  const LogitMatrix numbers = matrix({{1, 2}, {3, 4}});
  SharedRows rows(numbers);
  EXPECT_THAT(LogitMatrix(rows).values(), ElementsAre(1, 2, 3, 4));
  rows.forget_from(1);
  EXPECT_EQ(rows.n_rows(), 2U);
  EXPECT_THROW(static_cast<void>(LogitMatrix(rows)), LogicError);
}

}  // namespace
}  // namespace rsd
