#include "eval/reliability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace rsd {
namespace {

float log_odds(double probability) {
  return static_cast<float>(std::log(probability / (1 - probability)));
}

RequestRecord record_of(std::vector<std::optional<int>> grades,
                        const std::vector<double>& probabilities) {
  RequestRecord record;
  record.labels = Labels{.grades = std::move(grades), .judged = {}};
  for (const double p : probabilities)
    record.relevance.push_back(log_odds(p));
  return record;
}

TEST(Reliability, ComparesProbabilitiesWithShares) {
  const auto figures =
      reliability_of({record_of({1, 0}, {0.75, 0.25}), record_of({3, std::nullopt}, {0.25, 0.78})});
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->candidates, 4U);
  EXPECT_DOUBLE_EQ(figures->relevant, 0.5);
  EXPECT_NEAR(figures->brier, (0.0625 + 0.0625 + 0.5625 + 0.6084) / 4, 1e-6);
  ASSERT_EQ(figures->bins.size(), 2U) << "none without candidates";
  EXPECT_NEAR(figures->bins[0].probability, 0.25, 1e-6);
  EXPECT_DOUBLE_EQ(figures->bins[0].relevant, 0.5);
  EXPECT_NEAR(figures->bins[1].probability, 0.765, 1e-6);
  EXPECT_EQ(figures->bins[1].candidates, 2U);
  EXPECT_NEAR(figures->calibration_error, (0.25 + 0.265) / 2, 1e-6);
  // Of 4 pairs one is right, one a tie.
  EXPECT_DOUBLE_EQ(*figures->area_under_roc, 1.5 / 4);
}

TEST(Reliability, CountsAsRelevantWhatHasTheGradeThatIsAskedFor) {
  const std::vector<RequestRecord> records = {record_of({0, 1, 2, 3}, {0.1, 0.1, 0.9, 0.9})};
  EXPECT_DOUBLE_EQ(reliability_of(records)->relevant, 0.75);
  const auto figures = reliability_of(records, 2);
  EXPECT_DOUBLE_EQ(figures->relevant, 0.5);
  EXPECT_NEAR(figures->calibration_error, 0.1, 1e-6);
  EXPECT_THAT(reliability_sentence(*figures),
              testing::HasSubstr("50.0 % are relevant (grades from 2)"));
}

TEST(Reliability, CertaintyFallsIntoTheLastBin) {
  RequestRecord record = record_of({1, 0}, {0.5, 0.5});
  record.relevance = {1000, -1000};
  const auto figures = reliability_of({record});
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->brier, 0);
  EXPECT_EQ(figures->bins.size(), 2U);
}

TEST(Reliability, TakesLabelsAndRelevance) {
  RequestRecord unread = record_of({1}, {0.5});
  unread.relevance.clear();
  RequestRecord unlabelled = record_of({1}, {0.5});
  unlabelled.labels.reset();
  EXPECT_FALSE(reliability_of({unread, unlabelled}));
}

TEST(Reliability, HasNoAreaWhereAllAreRelevant) {
  const auto figures = reliability_of({record_of({1, 2}, {0.5, 0.9})});
  ASSERT_TRUE(figures);
  EXPECT_FALSE(figures->area_under_roc);
  EXPECT_THAT(reliability_sentence(*figures), testing::Not(testing::HasSubstr("ROC")));
}

}  // namespace
}  // namespace rsd
