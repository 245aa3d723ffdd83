#include "decode/verification.h"

#include <gtest/gtest.h>

#include <iostream>

#include "rsd/decode/decoding.h"
#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "support/items.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

// A machine on which an encoding of n tokens costs `base + slope * n`.
CostModel costs_of(double base, double slope) {
  CostModel costs;
  for (int repeat = 0; repeat < 20; ++repeat)
    for (const std::size_t n : {1U, 4U, 10U, 20U})
      costs.observe_encoding(n, base + slope * static_cast<double>(n));
  return costs;
}

// Ten items; the prompt's row makes item 0 known. Then the LLM, which wants the input order,
// verifies a proposal that has its first `n_right` positions right.
History verified(std::size_t n_right) {
  History history(10);
  LogitMatrix all(10, 10);
  for (std::size_t j = 0; j < 10; ++j)
    for (std::size_t i = 0; i < 10; ++i)
      all.row(j)[i] = -static_cast<float>(i);
  LogitMatrix first(1, 10);
  std::ranges::copy(all.row(0), first.row(0).begin());
  EXPECT_TRUE(history.add({}, {0, 1}, first));
  auto proposal = items({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  std::rotate(proposal.begin() + static_cast<std::ptrdiff_t>(n_right), proposal.end() - 1,
              proposal.end());
  LogitMatrix rest(9, 10);
  for (std::size_t j = 0; j < 9; ++j)
    std::ranges::copy(all.row(j + 1), rest.row(j).begin());
  EXPECT_TRUE(history.add(proposal, {1, 10}, rest));
  return history;
}

TEST(AcceptanceProbability, BeginsWithThePrior) {
  EXPECT_DOUBLE_EQ(acceptance_probability(History(10)), 0.6);
}

TEST(AcceptanceProbability, FollowsWhatWasAccepted) {
  // 3 of 4 tried positions were accepted, and the prior's 2.4 of 4.
  EXPECT_DOUBLE_EQ(acceptance_probability(verified(4)), (3 + 2.4) / (4 + 4));
  EXPECT_DOUBLE_EQ(acceptance_probability(verified(1)), 2.4 / (1 + 4));
}

TEST(AcceptanceProbability, PromptsOwnRowTriesNothing) {
  History history(10);
  ASSERT_TRUE(history.add({}, {0, 1}, LogitMatrix(1, 10)));
  EXPECT_DOUBLE_EQ(acceptance_probability(history), 0.6);
}

// If only the first two positions of a proposal were verified, the third was not tried.
TEST(AcceptanceProbability, CountsNoPositionAfterTheRowsThatWereEncoded) {
  History history(10);
  LogitMatrix logits(2, 10);
  logits.row(0)[0] = logits.row(1)[1] = 1;
  ASSERT_TRUE(history.add(items({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), {0, 2}, logits));
  ASSERT_EQ(history.rounds().back().accepted, 2U);
  EXPECT_DOUBLE_EQ(acceptance_probability(history), (2 + 2.4) / (2 + 4));
}

TEST(VerifiedRowsEnd, IsTheWholeListWhereNothingIsKnownOfTheCosts) {
  EXPECT_EQ(verified_rows_end(verified(2), {3, 10}, CostModel()), 10U);
}

TEST(VerifiedRowsEnd, IsAFewPositionsOnceAWholeListAndASingleOneAreKnown) {
  CostModel costs;
  costs.observe_encoding(9, 100);
  EXPECT_EQ(verified_rows_end(verified(2), {3, 10}, costs), 4U);  // to see what one costs
  costs.observe_encoding(1, 25);
  const std::size_t end = verified_rows_end(verified(2), {3, 10}, costs);
  EXPECT_GT(end, 4U);
  EXPECT_LT(end, 8U);
}

TEST(VerifiedRowsEnd, IsOnePositionWhereASecondCostsAsMuchAsAnotherEncoding) {
  CostModel costs;  // as with kernels for single vectors: 20, then 40, 45, 50, …
  for (const std::size_t n : {1U, 2U, 3U, 4U})
    costs.observe_encoding(n, n == 1 ? 20 : 30 + 5 * static_cast<double>(n));
  EXPECT_EQ(verified_rows_end(verified(1), {3, 10}, costs), 4U);
}

TEST(VerifiedRowsEnd, IsTheWholeListWhereTokensCostNothing) {
  EXPECT_EQ(verified_rows_end(verified(2), {3, 10}, costs_of(20, 0)), 10U);
}

TEST(VerifiedRowsEnd, IsOnePositionWhereTokensAreAllThatCosts) {
  EXPECT_EQ(verified_rows_end(verified(2), {3, 10}, costs_of(0, 5)), 4U);
}

TEST(VerifiedRowsEnd, IsFurtherAwayTheCheaperTokensAreAndTheBetterProposalsWere) {
  const auto end = [](std::size_t n_right, double slope) {
    const History history = verified(n_right);
    const std::size_t known = history.known().size();
    return verified_rows_end(history, {known, 10}, costs_of(20, slope)) - known;
  };
  EXPECT_LT(end(1, 10), end(1, 2));
  EXPECT_LT(end(1, 4), end(4, 4));
  EXPECT_GT(end(1, 10), 0U);
}

Outcome decoded(const DecodingOptions& options, const SyntheticOptions& llm, CostModel* costs) {
  SyntheticScorer scorer(llm);
  auto decoding = Decoding::create(llm.n_items, options);
  auto outcome = run(*decoding, scorer, {.costs = costs});
  RSD_CHECK(outcome.ok(), "a decoding");
  return *std::move(outcome);
}

struct DecodeTimes {
  double ar = 0, whole = 0, planned = 0;
};

// The cost of 20 requests on a machine where an encoding costs 5 ms and this much per token.
DecodeTimes decode_times(double ms_per_token) {
  DecodeTimes times;
  CostModel costs;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const SyntheticOptions llm{.seed = seed, .n_items = 20, .ms_per_token = ms_per_token};
    const DecodingOptions exact{.decoder = DecoderKind::kExact, .policy = blend_policy()};
    const Outcome target = decoded({.decoder = DecoderKind::kAr}, llm, nullptr);
    const Outcome whole = decoded(exact, llm, nullptr);
    const Outcome planned = decoded(exact, llm, &costs);
    EXPECT_EQ(planned.ranking, target.ranking) << seed;
    EXPECT_EQ(planned.verified_prefix, 20U) << seed;
    times.ar += target.timing.decode_ms;
    times.whole += whole.timing.decode_ms;
    times.planned += planned.timing.decode_ms;
  }
  std::cout << ms_per_token << " ms a token: ar " << times.ar << ", whole lists " << times.whole
            << ", planned " << times.planned << " ms\n";
  return times;
}

TEST(ExactByCosts, IsFasterThanStepByStepWhereTokensAreCheap) {
  const DecodeTimes times = decode_times(0.1);
  EXPECT_LT(times.planned, 0.7 * times.ar);
  EXPECT_LT(times.planned, 1.05 * times.whole);
}

TEST(ExactByCosts, IsFasterThanBothInBetween) {
  const DecodeTimes times = decode_times(1);
  EXPECT_LT(times.planned, 0.95 * times.ar);
  EXPECT_LT(times.planned, 0.9 * times.whole);
}

TEST(ExactByCosts, IsHardlySlowerThanStepByStepWhereTokensAreAllThatCosts) {
  const DecodeTimes times = decode_times(50);
  EXPECT_LT(times.planned, 1.1 * times.ar);
}

// The costs are those of encodings after the prompt's: of a draft, which the prompt's pass carries,
// all positions are verified.
TEST(ExactByCosts, VerifiesAllOfADraftInTheFirstEncoding) {
  const CostModel costs = costs_of(0, 5);  // by which one position at a time is best
  auto decoding = Decoding::create(10, {.decoder = DecoderKind::kExact,
                                        .draft = Draft::kInput,
                                        .policy = first_row_policy()})
                      .value();
  const auto first = decoding.next(&costs).value();
  EXPECT_EQ(first->rows.size(), 10U);
  LogitMatrix logits(10, 10);  // which wants the reverse, from the first position on
  for (std::size_t j = 0; j < 10; ++j)
    for (std::size_t i = 0; i < 10; ++i)
      logits.row(j)[i] = static_cast<float>(i);
  ASSERT_TRUE(decoding.absorb(*first, logits));
  EXPECT_EQ(decoding.next(&costs).value()->rows.size(), 1U);
}

TEST(TopN, RowsAfterItAreNotEncoded) {
  for (const DecoderKind decoder : {DecoderKind::kExact, DecoderKind::kSd, DecoderKind::kRsd}) {
    const Outcome outcome = decoded(
        {.decoder = decoder,
         .budget = decoder == DecoderKind::kRsd ? std::optional<std::size_t>(2) : std::nullopt,
         .top_n = 3,
         .policy = blend_policy()},
        {.n_items = 20}, nullptr);
    EXPECT_LE(outcome.tokens_encoded, 100 + 2 * (outcome.encodings - 1)) << to_string(decoder);
    EXPECT_EQ(outcome.ranking.size(), 20U);
  }
}

}  // namespace
}  // namespace rsd
