// Relevance that an LLM reads, from the model to the answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "rsd/core/check.h"
#include "rsd/ranker/ranker.h"
#include "support/requests.h"

namespace rsd {
namespace {

Ranker reading_ranker() {
  auto ranker = Ranker::load({.model = "tests/models/tiny-relevance.gguf", .threads = 1});
  RSD_CHECK(ranker.ok(), "a ranker on the tiny model");
  return *std::move(ranker);
}

TEST(ReadingRanker, ScoresAreTheSameInAnyCompanyAndForASingleCandidate) {
  Ranker ranker = reading_ranker();
  const Request request = numbered_request(5, "cats");
  const auto together = ranker.rank(request);
  ASSERT_TRUE(together);
  ASSERT_TRUE(together->relevance_is_probability);
  for (std::size_t p = 0; p < 5; ++p) {
    Request alone = request;
    alone.candidates = {request.candidates[together->ranking.at(Position(p)).slot()]};
    const auto answer = ranker.rank(alone);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->relevance_is_probability);
    EXPECT_EQ(answer->relevance.at(0), together->relevance[p]) << p;
    EXPECT_EQ(answer->verified_prefix, 1U);
  }
}

TEST(ReadingRanker, ASingleCandidateBesideBlankOnesIsRead) {
  Ranker ranker = reading_ranker();
  Request request = numbered_request(3, "cats");
  request.candidates[0].text = request.candidates[1].text = " ";
  const auto answer = ranker.rank(request);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->relevance_is_probability);
  EXPECT_EQ(answer->ranking.at(Position(0)), ItemId(2));
  EXPECT_LT(answer->relevance[1], 1e-6);
}

TEST(ReadingRanker, ListsTheCandidatesFromTheMinimumScoreOn) {
  Ranker ranker = reading_ranker();
  const Request request = numbered_request(5, "cats");
  const auto all = ranker.rank(request);
  ASSERT_TRUE(all);
  const double limit = all->relevance[2];
  const auto answer = ranker.rank(request, {.min_score = limit});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->ranking, all->ranking);
  std::vector<Position> expected;
  for (std::size_t p = 0; p < 5; ++p)
    if (all->relevance[p] >= limit) expected.emplace_back(p);
  EXPECT_LT(expected.size(), 5U);
  EXPECT_EQ(listed_positions(*answer), expected);
}

}  // namespace
}  // namespace rsd
