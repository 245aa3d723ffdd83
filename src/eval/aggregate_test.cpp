#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <utility>

#include "eval/statistics.h"
#include "rsd/core/check.h"
#include "rsd/eval/results.h"

namespace rsd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Ranking ranking(std::initializer_list<int> items) {
  return Ranking::create({items.begin(), items.end()}).value();
}

Measurement measurement(std::initializer_list<int> items, double total_ms) {
  return {.ranking = ranking(items),
          .encodings = 2,
          .tokens_encoded = 100,
          .verified_prefix = 3,
          .timing = {.prefill_ms = total_ms / 2, .decode_ms = total_ms / 4, .total_ms = total_ms}};
}

// Two requests of three items, the first one labelled and presented in another order than the
// file's.
Evaluation two_requests() {
  Evaluation evaluation{.dataset = "tiny",
                        .settings = {{.decoder = DecoderKind::kAr},
                                     {.decoder = DecoderKind::kStd},
                                     {.decoder = DecoderKind::kExact, .policy = "argmax"}},
                        .ar_is_listed = true,
                        .shuffle_seed = 1};
  RequestRecord first{.id = "a",
                      .order = {1, 2, 0},
                      .labels = Labels{.grades = {std::nullopt, 1, 0}, .judged = {1, 0}},
                      .truncated_candidates = 2};
  first.measurements = {measurement({2, 0, 1}, 100), measurement({2, 1, 0}, 10),
                        measurement({2, 1, 0}, 30)};
  first.measurements[2].difference = Difference{.position = Position(1), .margin = 0.25};
  RequestRecord second{.id = "b", .order = {0, 1, 2}};
  second.measurements = {measurement({0, 1, 2}, 200), measurement({0, 1, 2}, 20),
                         measurement({0, 1, 2}, 40)};
  second.measurements[1].encodings = 1;
  second.measurements[1].tokens_encoded = 51;
  second.measurements[1].verified_prefix = 1;
  evaluation.records = {std::move(first), std::move(second)};
  return evaluation;
}

TEST(Aggregate, MeansAreThoseComputedByHand) {
  const DatasetResults results = aggregate(two_requests());
  ASSERT_EQ(results.rows.size(), 3U);
  EXPECT_EQ(results.requests, 2U);
  EXPECT_EQ(results.truncated_candidates, 2U);
  const Row& std_row = results.rows[1];
  EXPECT_DOUBLE_EQ(std_row.encodings, 1.5);
  EXPECT_DOUBLE_EQ(std_row.tokens_encoded, 75.5);
  EXPECT_DOUBLE_EQ(std_row.verified_prefix, 2);
  // Request a: one of three pairs is discordant, two items are off by one; request b agrees.
  EXPECT_DOUBLE_EQ(std_row.kt, (1.0 / 3 + 1) / 2);
  EXPECT_DOUBLE_EQ(std_row.sr, (0.5 + 1) / 2);
  EXPECT_DOUBLE_EQ(std_row.fd, (2.0 / 4 + 0) / 2);
  EXPECT_DOUBLE_EQ(std_row.kd, (1.0 / 3 + 0) / 2);
  EXPECT_THAT(std_row.disagreement_by_position, ElementsAre(0, 0.5, 0.5));
  EXPECT_DOUBLE_EQ(results.rows[0].kt, 1);
}

TEST(Aggregate, RelevanceIsOverLabelledRequestsOnly) {
  const DatasetResults results = aggregate(two_requests());
  // Item 1 is the relevant one: third for ar, second for std.
  ASSERT_TRUE(results.rows[0].relevance && results.rows[1].relevance);
  EXPECT_DOUBLE_EQ(results.rows[0].relevance->ndcg_at_10, 1 / std::log2(4));
  EXPECT_DOUBLE_EQ(results.rows[1].relevance->ndcg_at_10, 1 / std::log2(3));
  EXPECT_DOUBLE_EQ(results.rows[0].relevance->mrr, 1.0 / 3);
  EXPECT_DOUBLE_EQ(results.rows[0].relevance->recall_at_1, 0);
}

TEST(Aggregate, TargetIsComparedWithInputAndRandomOrder) {
  const TargetFigures target = aggregate(two_requests()).target;
  ASSERT_TRUE(target.target && target.input && target.random && target.letter_bias);
  EXPECT_DOUBLE_EQ(target.target->ndcg_at_10, 0.5);
  // The file's order is item 2, item 0, item 1.
  EXPECT_DOUBLE_EQ(target.input->mrr, 1.0 / 3);
  EXPECT_NEAR(target.random->ndcg_at_10, (1 + 1 / std::log2(3) + 0.5) / 3, 0.06);
  EXPECT_NEAR(target.random->mrr, (1 + 1.0 / 2 + 1.0 / 3) / 3, 0.08);
  EXPECT_NEAR(target.random->recall_at_1, 1.0 / 3, 0.15);
  // Request a: two of three pairs contradict the presented order; request b follows it.
  EXPECT_DOUBLE_EQ(*target.letter_bias, (-1.0 / 3 + 1) / 2);
}

TEST(Aggregate, OrderConsistencyIsTheMeanOverPairsOfOrdersThenRequests) {
  Evaluation evaluation = two_requests();
  EXPECT_EQ(aggregate(evaluation).target.order_consistency, std::nullopt);
  evaluation.order_shuffles = 3;
  // Kendall tau of each to (2 0 1), and of one to the other: 1/3, -1, -1/3.
  evaluation.records[0].reordered = {ranking({2, 1, 0}), ranking({1, 0, 2})};
  evaluation.records[1].reordered = {ranking({0, 1, 2}), ranking({0, 1, 2})};
  const TargetFigures target = aggregate(evaluation).target;
  ASSERT_TRUE(target.order_consistency);
  EXPECT_DOUBLE_EQ(*target.order_consistency, (-1.0 / 3 + 1) / 2);
  EXPECT_EQ(target.order_shuffles, 3U);
  evaluation.shuffle_seed.reset();  // the file's order is none of the shuffled ones
  evaluation.records[0].reordered.pop_back();
  evaluation.records[0].reordered.push_back(ranking({2, 1, 0}));
  EXPECT_DOUBLE_EQ(*aggregate(evaluation).target.order_consistency, 1);
}

TEST(Aggregate, SingleTokenFiguresAreThoseOfStd) {
  const DatasetResults results = aggregate(two_requests());
  ASSERT_TRUE(results.target.single_token);
  EXPECT_EQ(results.target.single_token->mrr, results.rows[1].relevance->mrr);
  EXPECT_NE(results.target.single_token->mrr, results.target.target->mrr);
}

TEST(Aggregate, RandomOrderDoesNotDependOnThePresentation) {
  Evaluation shuffled = two_requests();
  Evaluation plain = two_requests();
  plain.records[0].order = {0, 1, 2};
  plain.records[0].labels->grades = {0, std::nullopt, 1};  // the same candidates by file order
  EXPECT_EQ(aggregate(shuffled).target.random->mrr, aggregate(plain).target.random->mrr);
}

TEST(Aggregate, PercentilesAreByNearestRank) {
  const Row row = aggregate(two_requests()).rows[0];
  EXPECT_DOUBLE_EQ(row.p50_ms, 100);
  EXPECT_DOUBLE_EQ(row.p95_ms, 200);
  EXPECT_DOUBLE_EQ(row.prefill_p50_ms, 50);
  EXPECT_DOUBLE_EQ(row.decode_p50_ms, 25);
  std::vector<double> sample;
  for (int i = 20; i >= 1; --i)
    sample.push_back(i);
  EXPECT_EQ(percentile(sample, 0.5), 10);
  EXPECT_EQ(percentile(sample, 0.95), 19);
  EXPECT_EQ(percentile(sample, 1), 20);
  EXPECT_EQ(percentile({7}, 0.01), 7);
}

TEST(Aggregate, ExactReportsHowItDiffersFromAr) {
  const DatasetResults results = aggregate(two_requests());
  ASSERT_TRUE(results.rows[2].exact.has_value());
  EXPECT_DOUBLE_EQ(results.rows[2].exact->differs_from_ar, 0.5);
  EXPECT_THAT(results.rows[2].exact->margin_median, ::testing::Optional(DoubleEq(0.25)));
  EXPECT_FALSE(results.rows[1].exact.has_value());
}

TEST(Aggregate, ListsOfDifferentLengthsCountWhereTheyReach) {
  Evaluation evaluation = two_requests();
  RequestRecord longer{.id = "c", .order = {0, 1, 2, 3}};
  longer.measurements = {measurement({3, 2, 1, 0}, 1), measurement({3, 2, 0, 1}, 1),
                         measurement({3, 2, 1, 0}, 1)};
  evaluation.records.push_back(longer);
  EXPECT_THAT(aggregate(evaluation).rows[1].disagreement_by_position,
              ElementsAre(0, DoubleEq(1.0 / 3), DoubleEq(2.0 / 3), 1));
}

TEST(Aggregate, ArThatIsNotListedIsNoRow) {
  Evaluation evaluation = two_requests();
  evaluation.ar_is_listed = false;
  const DatasetResults results = aggregate(evaluation);
  ASSERT_EQ(results.rows.size(), 2U);
  EXPECT_EQ(results.rows[0].setting.decoder, DecoderKind::kStd);
  EXPECT_TRUE(results.target.target.has_value());
}

TEST(Aggregate, WithoutLabelsThereIsNoRelevance) {
  Evaluation evaluation = two_requests();
  evaluation.records[0].labels.reset();
  const DatasetResults results = aggregate(evaluation);
  EXPECT_FALSE(results.rows[0].relevance.has_value());
  EXPECT_FALSE(results.target.random.has_value());
  EXPECT_THAT(results.warnings, IsEmpty());
}

TEST(Aggregate, WarnsOfATargetThatIsNoBetterThanRandom) {
  EXPECT_THAT(aggregate(two_requests()).warnings,
              ElementsAre(HasSubstr("no better than a random order (nDCG@10 0.500")));
}

TEST(Aggregate, WarnsOfATargetThatSpellsTheIdentifiers) {
  Evaluation evaluation = two_requests();
  evaluation.records.erase(evaluation.records.begin());
  EXPECT_THAT(aggregate(evaluation).warnings, ElementsAre(HasSubstr("hardly ranks")));
  evaluation.shuffle_seed.reset();
  EXPECT_THAT(aggregate(evaluation).warnings, ElementsAre(HasSubstr("shuffle the candidates")));
}

TEST(Aggregate, WarnsOfATargetThatFollowsTheOrderOfPresentation) {
  Evaluation evaluation = two_requests();
  evaluation.records.pop_back();
  evaluation.order_shuffles = 2;
  evaluation.records[0].reordered = {ranking({1, 0, 2})};
  EXPECT_THAT(aggregate(evaluation).warnings,
              Contains(AllOf(HasSubstr("order consistency"), HasSubstr("places and identifiers"))));
  evaluation.records[0].reordered = {ranking({2, 0, 1})};
  EXPECT_THAT(aggregate(evaluation).warnings, Not(Contains(HasSubstr("order consistency"))));
}

TEST(Aggregate, WarnsOfATargetThatIsWorseThanTheFilesOrder) {
  Evaluation evaluation = two_requests();
  Labels& labels = *evaluation.records[0].labels;
  labels = {.grades = {1, 0, 2}, .judged = {2, 1, 0}};  // the target's order is the best one
  EXPECT_THAT(aggregate(evaluation).warnings, Not(Contains(HasSubstr("worse than the order"))));
  labels.grades = {0, 1, 2};
  evaluation.records[0].order = {2, 1, 0};  // and now the file's
  EXPECT_THAT(aggregate(evaluation).warnings, Contains(HasSubstr("worse than the order")));
}

TEST(Aggregate, NothingCanBeSaidOfNoRecords) {
  Evaluation evaluation = two_requests();
  evaluation.records.clear();
  EXPECT_THROW(static_cast<void>(aggregate(evaluation)), LogicError);
}

}  // namespace
}  // namespace rsd
