#include "rsd/decode/policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "rsd/rank/ranking.h"
#include "support/decoded_history.h"
#include "support/items.h"
#include "support/logits.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Three items were proposed as 0, 1, 2, 3; the LLM wants item 2 at position 1.
History one_round() {
  History history(4);
  EXPECT_TRUE(history.add(items({0, 1, 2, 3}), {0, 4},
                          matrix({{9, 1, 2, 3}, {0, 1, 4, 3}, {0, 0, 1, 2}, {0, 0, 0, 5}})));
  return history;
}

// The order that a policy gives to the pending items, after the known prefix 0, 2.
std::vector<ItemId> tail(const RankingPolicy& policy, const History& history) {
  const Ranking ranking = Ranking::with_prefix(history.known(), *policy.score(history, 1));
  const auto rest = ranking.items().subspan(history.known().size());
  return {rest.begin(), rest.end()};
}

TEST(Policies, NamesGoBothWays) {
  for (const auto name : policy_names())
    EXPECT_EQ((*policy_by_name(name))->name(), name);
}

TEST(Policies, UnknownNameIsAnErrorThatListsTheKnownOnes) {
  const auto policy = policy_by_name("oracle");
  ASSERT_FALSE(policy.ok());
  EXPECT_EQ(policy.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(policy.error().message(), HasSubstr("first-disagreement"));
}

TEST(Policies, DefaultIsAmongTheNames) {
  EXPECT_THAT(policy_names(), testing::Contains(kDefaultPolicy));
}

TEST(FirstRow, OrdersByTheRowOfThePrompt) {
  EXPECT_THAT(*first_row_policy()->score(one_round(), 1), ElementsAre(9, 1, 2, 3));
}

TEST(FirstDisagreement, OrdersByTheRowWhereTheProposalFailed) {
  EXPECT_THAT(*first_disagreement_policy()->score(one_round(), 1), ElementsAre(0, 1, 4, 3));
}

TEST(Argmax, FillsPositionByPosition) {
  // Row 2 prefers item 3 among the open ones; item 1 is left for position 3.
  EXPECT_THAT(tail(*argmax_policy(), one_round()), ElementsAre(ItemId(3), ItemId(1)));
}

TEST(MeanLogProb, AddsUpTheRowsFromTheFirstDisagreementOn) {
  // Log-probabilities of rows 1 to 3; row 0 plays no part.
  const auto scores = *mean_log_prob_policy()->score(one_round(), 1);
  const double normaliser1 = std::log(1 + std::exp(1.0) + std::exp(4.0) + std::exp(3.0));
  const double normaliser2 = std::log(2 + std::exp(1.0) + std::exp(2.0));
  const double normaliser3 = std::log(3 + std::exp(5.0));
  EXPECT_NEAR(scores[3], 3 + 2 + 5 - normaliser1 - normaliser2 - normaliser3, 1e-5);
  EXPECT_NEAR(scores[1], 1 - normaliser1 - normaliser2 - normaliser3, 1e-5);
}

TEST(Pairwise, ComparesOnlyWhereBothItemsAreStillToBePlaced) {
  // Item 1 stands at position 1 of the proposal: it meets items 2 and 3 in row 1 only.
  // Items 2 and 3 meet in rows 1 and 2: (0.4 (4-3) + (1-2)) / 1.4. Item 0 is used up before row 1.
  const auto wins = *pairwise_policy()->score(one_round(), 1);
  const double two_three = std::tanh((0.4 * 1 - 1) / 1.4 / 0.5);
  EXPECT_NEAR(wins[0], 0, 1e-9);
  EXPECT_NEAR(wins[1], std::tanh(-3 / 0.5) + std::tanh(-2 / 0.5), 1e-6);
  EXPECT_NEAR(wins[2], two_three + std::tanh(3 / 0.5), 1e-6);
  EXPECT_NEAR(wins[3], -two_three + std::tanh(2 / 0.5), 1e-6);
}

// Rows of three rounds, the later ones with fewer rows: compared row by row, the plainest way.
TEST(Pairwise, GoesThroughTheLatestRowsOfAllRounds) {
  const SyntheticScorer scorer = noisy_scorer(9, 4);
  History history(9);
  std::vector<std::vector<std::size_t>> used_up_at;  // by row
  for (const std::size_t n_rows : {9U, 6U, 4U}) {
    std::vector<ItemId> proposal(history.known().begin(), history.known().end());
    for (std::size_t i = 9; i-- > 0;)
      if (!history.placed()[i]) proposal.emplace_back(i);
    const RowRange rows = history.missing_rows(proposal, n_rows);
    const LogitMatrix all = rows_of(scorer, proposal, n_rows);
    LogitMatrix missing(rows.size(), 9);
    for (std::size_t j = 0; j < rows.size(); ++j)
      std::ranges::copy(all.row(rows.first + j), missing.row(j).begin());
    ASSERT_TRUE(history.add(proposal, rows, missing));
    std::vector<std::size_t> used_up(9);
    for (std::size_t j = 0; j < 9; ++j)
      used_up[proposal[j].slot()] = j + 1;
    used_up_at.resize(std::max<std::size_t>(used_up_at.size(), n_rows));
    std::fill_n(used_up_at.begin(), n_rows, used_up);
  }
  std::vector<double> wins(9, 0.0);
  for (std::size_t a = 0; a < 9; ++a) {
    for (std::size_t b = 0; b < 9; ++b) {
      double sum = 0;
      double weights = 0;
      for (std::size_t j = history.rounds().back().accepted; j < 9; ++j) {
        if (j >= used_up_at[j][a] || j >= used_up_at[j][b]) continue;
        const Round& round = history.rounds()[j < 4 ? 2 : j < 6 ? 1 : 0];
        sum = 0.4 * sum + round.logits.row(j)[a] - round.logits.row(j)[b];
        weights = 0.4 * weights + 1;
      }
      if (weights > 0) wins[a] += std::tanh(sum / weights / 0.5);
    }
  }
  EXPECT_LT(history.rounds().back().accepted, 3U) << "there must be rows of all rounds";
  const auto scores = *pairwise_policy()->score(history, 1);
  EXPECT_THAT(scores, testing::Pointwise(testing::DoubleNear(1e-5), wins));
}

TEST(Blend, AddsUpThePositionsThatItsPartsGive) {
  // All three parts put item 3 before item 1, after the known prefix 0, 2.
  EXPECT_THAT(*blend_policy()->score(one_round(), 1), ElementsAre(0, -9, -3, -6));
}

TEST(ListwisePolicies, KeepTheRowsAfterWhatTheLastRoundVerified) {
  History history(6);
  LogitMatrix all(6, 6);
  for (std::size_t j = 0; j < 6; ++j)  // the later items are preferred at every row
    std::ranges::copy(std::vector<float>{0, 1, 2, 3, 4, 5}, all.row(j).begin());
  all.row(0)[0] = 9;
  all.row(1)[2] = 9;
  ASSERT_TRUE(history.add(items({0, 1, 2, 3, 4, 5}), {0, 6}, all));
  LogitMatrix second(1, 6);  // has only the row of position 2: item 1
  std::ranges::copy(std::vector<float>{0, 9, 0, 0, 0, 0}, second.row(0).begin());
  ASSERT_TRUE(history.add(items({0, 2, 5, 4, 3, 1}), {2, 3}, second));
  ASSERT_THAT(history.known(), ElementsAre(ItemId(0), ItemId(2), ItemId(1)));
  for (const auto name : {"mean-logprob", "pairwise", "argmax", "blend", "replay"}) {
    EXPECT_THAT(tail(**policy_by_name(name), history), ElementsAre(ItemId(5), ItemId(4), ItemId(3)))
        << name;
  }
}

// A history with as many rows as a policy reads is as good as one with all of them.
TEST(AllPolicies, MissNoneOfTheRowsThatAHistoryForgets) {
  for (const auto name : policy_names()) {
    const auto policy = *policy_by_name(name);
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      History all(14, kEveryRound);
      History recent(14, policy->rounds_read());
      SyntheticScorer scorer({.seed = seed, .n_items = 14, .pair_noise = 3});
      ASSERT_TRUE(scorer.prefill(std::nullopt));
      for (std::size_t t = 0; !all.complete(); ++t) {
        std::vector<ItemId> proposal;
        if (t > 0) {
          const auto scores = *policy->score(all, 1);
          ASSERT_EQ(*policy->score(recent, 1), scores) << name << ", seed " << seed << ", " << t;
          const auto ranking = Ranking::with_prefix(all.known(), scores);
          proposal.assign(ranking.items().begin(), ranking.items().end());
        }
        // Sometimes a whole list, mostly a position or two.
        const std::size_t least = all.known().size() + 1 + t % 2;
        const std::size_t end = t == 0 ? 1 : t % 5 == 1 ? 14 : std::min<std::size_t>(least, 14);
        const RowRange rows = all.missing_rows(proposal, end);
        const auto encoding = *scorer.encode({.proposal = proposal, .rows = rows});
        ASSERT_TRUE(all.add(proposal, rows, encoding.rows));
        ASSERT_TRUE(recent.add(proposal, rows, encoding.rows));
      }
    }
  }
}

TEST(AllPolicies, FallBackToTheOneRowOfThePromptAlone) {
  History history(4);
  LogitMatrix row(1, 4);
  std::ranges::copy(std::vector<float>{1, 9, 2, 3}, row.row(0).begin());
  ASSERT_TRUE(history.add({}, {0, 1}, row));
  for (const auto name : policy_names()) {
    EXPECT_THAT(tail(**policy_by_name(name), history), ElementsAre(ItemId(3), ItemId(2), ItemId(0)))
        << name;
  }
}

}  // namespace
}  // namespace rsd
