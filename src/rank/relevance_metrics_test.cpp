#include "rsd/rank/relevance_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/requests.h"

namespace rsd {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

Ranking ranking_of(const std::vector<int>& items) {
  return Ranking::create({items.begin(), items.end()}).value();
}

// Every item is judged and in the list.
LabelledRanking fully_judged(const std::vector<int>& grades) {
  return {.grades = {grades.begin(), grades.end()}, .judged = grades};
}

TEST(Label, GradesFollowTheRankingAndUnjudgedCandidatesHaveNone) {
  const auto labelled =
      label(ranking_of({2, 0, 1}), numbered_request(3), {{"d0", 1}, {"d2", 3}, {"missed", 2}});
  EXPECT_THAT(labelled.grades, ElementsAre(3, 1, std::nullopt));
  EXPECT_THAT(labelled.judged, UnorderedElementsAre(1, 3, 2));
}

TEST(Label, LabelsOfTheRequestAreNotMixedIn) {
  Request request = numbered_request(1);
  request.relevance = {{"d0", 3}};
  EXPECT_THAT(label(Ranking::identity(1), request, {}).grades, ElementsAre(std::nullopt));
}

TEST(Label, RankingOfAnotherSizeIsABrokenInvariant) {
  EXPECT_THROW(label(Ranking::identity(2), numbered_request(3), {}), LogicError);
}

TEST(Ndcg, HandComputedExample) {
  const auto labelled = fully_judged({1, 0, 3, 2});
  const double dcg = 1 / std::log2(2) + 3 / std::log2(4);
  const double ideal = 3 / std::log2(2) + 2 / std::log2(3) + 1 / std::log2(4);
  EXPECT_DOUBLE_EQ(ndcg_at_k(labelled, 3), dcg / ideal);
}

TEST(Ndcg, GainIsLinearInTheGrade) {
  EXPECT_DOUBLE_EQ(ndcg_at_k(fully_judged({1, 3}), 1), 1.0 / 3);  // 1/7 with exponential gain
}

TEST(Ndcg, IdealCountsJudgedItemsThatAreNotInTheList) {
  const LabelledRanking labelled{.grades = {2}, .judged = {2, 3}};
  EXPECT_DOUBLE_EQ(ndcg_at_k(labelled, 1), 2.0 / 3);
  EXPECT_DOUBLE_EQ(ndcg_at_k(labelled, 10), 2 / (3 + 2 / std::log2(3)));
}

TEST(Ndcg, UnjudgedItemTakesAPlaceAndGainsNothing) {
  const LabelledRanking labelled{.grades = {std::nullopt, 1}, .judged = {1}};
  EXPECT_EQ(ndcg_at_k(labelled, 1), 0);
  EXPECT_DOUBLE_EQ(ndcg_at_k(labelled, 2), 1 / std::log2(3));
}

TEST(Ndcg, NegativeGradeCountsAsZero) {
  EXPECT_DOUBLE_EQ(ndcg_at_k(fully_judged({-2, 1}), 2), 1 / std::log2(3));
  EXPECT_EQ(ndcg_at_k(fully_judged({-1, -2}), 2), 0);
}

TEST(Ndcg, CutBeyondTheListTakesTheWholeList) {
  const auto labelled = fully_judged({0, 2, 1});
  EXPECT_EQ(ndcg_at_k(labelled, 1000), ndcg_at_k(labelled, 3));
  EXPECT_EQ(ndcg_at_k(labelled, std::numeric_limits<int>::max()), ndcg_at_k(labelled, 3));
}

TEST(ReciprocalRank, FirstRelevantItemDecides) {
  EXPECT_EQ(reciprocal_rank(fully_judged({3, 1})), 1);
  EXPECT_DOUBLE_EQ(reciprocal_rank(fully_judged({0, -1, 1, 3})), 1.0 / 3);
  EXPECT_DOUBLE_EQ(reciprocal_rank({.grades = {std::nullopt, 2}, .judged = {2}}), 0.5);
}

TEST(ReciprocalRank, RelevantItemThatIsNotInTheListGivesZero) {
  EXPECT_EQ(reciprocal_rank({.grades = {0, std::nullopt}, .judged = {0, 3}}), 0);
}

TEST(Recall, HandComputedExample) {
  const LabelledRanking labelled{.grades = {0, 1, std::nullopt, 3}, .judged = {0, 1, 3, 2}};
  EXPECT_EQ(recall_at_k(labelled, 1), 0);
  EXPECT_DOUBLE_EQ(recall_at_k(labelled, 2), 1.0 / 3);
  EXPECT_DOUBLE_EQ(recall_at_k(labelled, 4), 2.0 / 3);
  EXPECT_DOUBLE_EQ(recall_at_k(labelled, 50), 2.0 / 3);
}

TEST(RelevanceMetrics, QueryWithoutARelevantItemGivesZero) {
  for (const auto& labelled : {LabelledRanking{}, fully_judged({0, 0}), fully_judged({-1}),
                               LabelledRanking{.grades = {std::nullopt}, .judged = {}}}) {
    EXPECT_EQ(ndcg_at_k(labelled, 10), 0);
    EXPECT_EQ(reciprocal_rank(labelled), 0);
    EXPECT_EQ(recall_at_k(labelled, 10), 0);
  }
}

TEST(RelevanceMetrics, CutBelowOneIsABrokenInvariant) {
  EXPECT_THROW(ndcg_at_k(fully_judged({1}), 0), LogicError);
  EXPECT_THROW(recall_at_k(fully_judged({1}), -1), LogicError);
  EXPECT_THROW(ndcg_at_k({}, 0), LogicError);
  EXPECT_THROW(recall_at_k(fully_judged({0}), 0), LogicError);
}

TEST(RelevanceMetricsProperty, BestOrderIsPerfectAndNoOrderLeavesTheUnitInterval) {
  constexpr std::uint32_t kSeed = 13;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  for (int repeat = 0; repeat < 300; ++repeat) {
    std::vector<int> grades(1 + random() % 20);
    for (int& grade : grades)
      grade = static_cast<int>(random() % 5) - 1;
    grades.back() = 1;  // at least one relevant item
    std::ranges::shuffle(grades, random);
    const auto labelled = fully_judged(grades);
    std::ranges::sort(grades, std::ranges::greater{});
    const auto best = fully_judged(grades);
    for (const int k : {1, 3, 10, 100}) {
      EXPECT_DOUBLE_EQ(ndcg_at_k(best, k), 1);
      EXPECT_GE(ndcg_at_k(labelled, k), 0);
      EXPECT_LE(ndcg_at_k(labelled, k), 1 + 1e-12);
      EXPECT_LE(recall_at_k(labelled, k), recall_at_k(best, k));
      EXPECT_LE(recall_at_k(labelled, k), recall_at_k(labelled, k + 1));
    }
    EXPECT_EQ(recall_at_k(labelled, 100), 1);
    EXPECT_EQ(reciprocal_rank(best), 1);
  }
}

class RelevanceFixture : public ::testing::Test {
 protected:
  static void expect_case(const nlohmann::json& expected) {
    const Ranking ranking = ranking_of(expected.at("ranking"));
    const auto labelled =
        label(ranking, numbered_request(ranking.size()), expected.at("relevance"));
    for (const auto& [k, value] : expected.at("ndcg_at").items()) {
      EXPECT_NEAR(ndcg_at_k(labelled, std::stoi(k)), value, 1e-12) << "k = " << k;
    }
    for (const auto& [k, value] : expected.at("recall_at").items()) {
      EXPECT_NEAR(recall_at_k(labelled, std::stoi(k)), value, 1e-12) << "k = " << k;
    }
    EXPECT_NEAR(reciprocal_rank(labelled), expected.at("reciprocal_rank"), 1e-12);
  }
};

// Made by tools/make_metric_fixtures.py; read from the root of the sources.
TEST_F(RelevanceFixture, EqualsTrecEval) {
  std::ifstream file("tests/fixtures/metrics.json");
  ASSERT_TRUE(file) << "tests/fixtures/metrics.json can't be opened from the working directory";
  const auto fixture = nlohmann::json::parse(file);
  SCOPED_TRACE("fixture seed " + fixture.at("seed").dump());
  std::set<std::string> kinds;
  for (const auto& expected : fixture.at("relevance")) {
    SCOPED_TRACE(expected.dump());
    kinds.insert(expected.at("kind").get<std::string>());
    expect_case(expected);
  }
  EXPECT_THAT(kinds, UnorderedElementsAre("graded", "binary", "unjudged", "missed", "negative",
                                          "all_zero", "mixed"));
}

}  // namespace
}  // namespace rsd
