#include "agent/round_view.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/items.h"
#include "support/logits.h"

namespace rsd {
namespace {

// Six items; 5 is known and was accepted, 3 was proposed after it, where 4 belonged.
Round round_of(std::size_t n_rows) {
  Round round{.proposal = items({5, 3, 0, 4, 2, 1}), .accepted = 1, .known = 2};
  std::vector<std::vector<float>> rows;
  for (std::size_t j = 0; j < n_rows; ++j) {
    const auto shift = static_cast<float>(j);
    rows.push_back({1 + shift, 2 - shift, 3, 0.5F * shift, 9, 4});
  }
  round.logits = SharedRows(matrix(rows));
  return round;
}

// Items 0 to 3 are open; their places in the proposal are 2, 5, 4 and 1.
class RoundViewTest : public ::testing::Test {
 protected:
  Round round_ = round_of(6);
  std::vector<ItemId> open_ = items({0, 1, 2, 3});
  RoundView view_{round_, open_, 6};
};

TEST_F(RoundViewTest, RowsBeginAtTheFirstDisagreement) {
  EXPECT_EQ(view_.n_rows(), 5U);
  EXPECT_EQ(view_.logit(0, 0), round_.logits.row(1)[0]);
  EXPECT_EQ(view_.logit(4, 3), round_.logits.row(5)[3]);
  EXPECT_EQ(RoundView(round_, open_, 3).n_rows(), 2U);
  EXPECT_EQ(RoundView(round_, open_, 1).n_rows(), 1U) << "where no row is left, the last one";
}

TEST_F(RoundViewTest, ItemsAreLeftUpToTheRowOfTheirOwnPlace) {
  // Row r has r + 1 of the proposal in front of it.
  const std::vector<std::size_t> own_rows{1, 4, 3, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(view_.own_row(i), own_rows[i]) << i;
    for (std::size_t row = 0; row < 5; ++row)
      EXPECT_EQ(view_.is_left(row, i), row <= own_rows[i]) << "row " << row << " item " << i;
  }
  EXPECT_EQ(view_.n_shared_rows(0, 2), 2U);
  EXPECT_EQ(view_.n_shared_rows(1, 2), 4U);
  EXPECT_EQ(view_.n_shared_rows(3, 1), 1U);
  EXPECT_EQ(RoundView(round_, open_, 3).own_row(1), 1U) << "the last row that there is";
  EXPECT_EQ(RoundView(round_, open_, 3).n_shared_rows(1, 2), 2U);
}

TEST_F(RoundViewTest, PlacesAreThoseAmongTheOpenItemsInTheProposal) {
  EXPECT_TRUE(view_.has_proposal());
  for (const auto& [item, place] : {std::pair(3U, 0U), {0U, 1U}, {2U, 2U}, {1U, 3U}}) {
    EXPECT_EQ(view_.place(item), place);
    EXPECT_EQ(view_.item_at(place), item);
  }
  Round bare = round_of(1);
  bare.proposal.clear();
  bare.accepted = 0;
  const RoundView prompt_alone(bare, open_, 1);
  EXPECT_FALSE(prompt_alone.has_proposal());
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_TRUE(prompt_alone.is_left(0, i));
}

TEST_F(RoundViewTest, ProbabilitiesAreAmongAllOrAmongWhatIsLeft) {
  // Row 2 of the view is row 3: 4, -1, 3, 1.5; items 0 and 3 are used up there.
  const double all = std::log(std::exp(4.0) + std::exp(-1.0) + std::exp(3.0) + std::exp(1.5));
  EXPECT_NEAR(view_.log_prob(2, 1), -1 - all, 1e-5);
  EXPECT_NEAR(view_.choice_log_prob(2, 1), -1 - std::log(std::exp(-1.0) + std::exp(3.0)), 1e-5);
  EXPECT_EQ(view_.strongest_rival(2, 1), 3.0F);
  EXPECT_EQ(view_.strongest_rival(2, 2), -1.0F);
  EXPECT_EQ(view_.strongest_rival(4, 1), view_.logit(4, 1)) << "no other is left";
}

TEST_F(RoundViewTest, MarginsAreMeansOverTheRowsThatBothAreLeftAt) {
  for (const double recency : {1.0, 0.4}) {
    const Margins margins(view_, recency);
    for (std::size_t a = 0; a < 4; ++a) {
      for (std::size_t b = 0; b < 4; ++b) {
        double sum = 0;
        double weights = 0;
        for (std::size_t row = 0; row < 5; ++row) {
          if (!view_.is_left(row, a) || !view_.is_left(row, b)) continue;
          sum = recency * sum + view_.logit(row, a) - view_.logit(row, b);
          weights = recency * weights + 1;
        }
        EXPECT_NEAR(margins(a, b), sum / weights, 1e-9) << a << " against " << b;
      }
    }
  }
}

TEST(Margins, AreNoughtWithoutASharedRow) {
  Round round = round_of(6);
  round.accepted = 3;
  const auto open = items({0, 1});  // 0 was used up before the first row
  const RoundView view(round, open, 6);
  EXPECT_EQ(view.n_shared_rows(0, 1), 0U);
  EXPECT_EQ(Margins(view, 1)(0, 1), 0);
}

}  // namespace
}  // namespace rsd
