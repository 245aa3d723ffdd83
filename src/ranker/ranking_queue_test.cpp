#include "rsd/ranker/ranking_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "ranker/made_up_llm_test.h"

namespace rsd {
namespace {

using namespace std::chrono_literals;

RankOptions exact() {
  return {.decoder = DecoderKind::kExact};
}

std::map<std::size_t, Result<Answer>> run_to_the_end(RankingQueue& queue) {
  std::map<std::size_t, Result<Answer>> answers;
  while (queue.size() > 0)
    for (auto& finished : queue.step())
      answers.emplace(finished.ticket, std::move(finished.answer));
  return answers;
}

TEST(RankingQueue, EachTicketGetsItsOwnAnswer) {
  Ranker ranker = made_up_ranker(/*parallel=*/2);
  RankingQueue queue(ranker);
  for (std::size_t ticket = 0; ticket < 5; ++ticket)
    ASSERT_TRUE(queue.add(10 + ticket, numbered_request(5, "q" + std::to_string(ticket)), exact()));
  EXPECT_EQ(queue.size(), 5U);
  EXPECT_FALSE(queue.has_place());
  const auto answers = run_to_the_end(queue);
  ASSERT_EQ(answers.size(), 5U);
  for (std::size_t ticket = 0; ticket < 5; ++ticket)
    EXPECT_EQ(answers.at(10 + ticket)->ranking, target_of("q" + std::to_string(ticket), 5));
}

TEST(RankingQueue, WhatNeedsNoLlmIsAnsweredWithoutAPass) {
  Ranker ranker = made_up_ranker();
  RankingQueue queue(ranker);
  ASSERT_TRUE(queue.add(1, numbered_request(6, "q"), exact()));
  ASSERT_TRUE(queue.add(2, numbered_request(1, "q")));
  const auto first = queue.step();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].ticket, 2U);
  EXPECT_EQ(first[0].answer->encodings, 0U);
  EXPECT_EQ(run_to_the_end(queue).at(1)->ranking, target_of("q", 6));
}

TEST(RankingQueue, ACancelledRequestFreesItsPlaceAndIsNotAnswered) {
  Ranker ranker = made_up_ranker();
  RankingQueue queue(ranker);
  ASSERT_TRUE(queue.add(1, numbered_request(6, "gone"), exact()));
  ASSERT_TRUE(queue.add(2, numbered_request(1, "settled")));
  queue.step();
  EXPECT_TRUE(queue.cancel(1));
  EXPECT_FALSE(queue.cancel(1));
  EXPECT_FALSE(queue.cancel(2)) << "it was answered";
  EXPECT_TRUE(queue.has_place());
  EXPECT_EQ(queue.size(), 0U);
}

TEST(RankingQueue, AWrongRequestIsRefusedWhenItIsAdded) {
  Ranker ranker = made_up_ranker();
  RankingQueue queue(ranker);
  EXPECT_EQ(queue.add(1, {.query = "q"}).error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(queue.add(1, numbered_request(3, "q"), {.budget = 0}).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(RankingQueue, WhoIsLeftOutOfAPassIsShownItsAnswerSoFar) {
  Ranker ranker = made_up_ranker(/*parallel=*/1);
  RankingQueue queue(ranker);
  std::map<std::size_t, Answer> left_out;
  queue.on_left_out([&](std::size_t ticket, const Answer& so_far) { left_out[ticket] = so_far; });
  RankOptions patient = exact();
  patient.deadline = 1min;
  ASSERT_TRUE(queue.add(1, numbered_request(6, "first"), patient));
  ASSERT_TRUE(queue.add(2, numbered_request(4, "second"), patient));
  queue.step();
  ASSERT_TRUE(left_out.contains(2));
  EXPECT_EQ(left_out.at(2).ranking, Ranking::identity(4));
  EXPECT_EQ(left_out.at(2).encodings, 0U);
  EXPECT_EQ(left_out.at(2).relevance.size(), 4U);
  EXPECT_EQ(run_to_the_end(queue).size(), 2U);
}

}  // namespace
}  // namespace rsd
