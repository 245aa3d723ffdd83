// Answers of the C interface are those of the C++ one.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "bindings/c/c_owned_test.h"
#include "rsd/ranker.h"

namespace rsd::bindings {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointwise;

Request request_of(const TextRequest& from) {
  Request request{.query = from.query()};
  for (const auto& text : from.texts())
    request.candidates.push_back({.text = text});
  return request;
}

Ranker load_facade() {
  auto ranker = Ranker::load({.model = kTinyModel, .threads = 1, .policy = "replay"});
  EXPECT_TRUE(ranker.ok());
  return *std::move(ranker);
}

TEST(CAnswer, IsThatOfTheFacade) {
  const auto ranker = load_tiny();
  Ranker facade = load_facade();
  for (const std::size_t budget : {1, 2, 3}) {
    const TextRequest request(9, static_cast<int>(budget));
    const auto answer = rank(ranker.get(), request.get(), budget_of(budget));
    const auto expected = facade.rank(request_of(request), {.budget = budget});
    ASSERT_TRUE(expected.ok());
    const auto order = order_of(answer.get());
    ASSERT_EQ(order.size(), 9);
    for (std::size_t i = 0; i < order.size(); ++i)
      EXPECT_EQ(order[i], expected->ranking.items()[i].slot());
    const double* relevance = rsd_answer_relevance(answer.get());
    ASSERT_NE(relevance, nullptr);
    EXPECT_THAT(std::vector(relevance, relevance + 9), Pointwise(DoubleEq(), expected->relevance));
    const auto info = info_of(answer.get());
    EXPECT_EQ(info.encodings, expected->encodings);
    EXPECT_EQ(info.verified_prefix, expected->verified_prefix);
    EXPECT_EQ(info.prompt_tokens, expected->prompt_tokens);
    EXPECT_EQ(info.tokens_encoded, expected->tokens_encoded);
    EXPECT_EQ(info.budget, budget);
    EXPECT_STREQ(info.decoder, "rsd");
    EXPECT_GT(info.total_ms, 0);
    EXPECT_EQ(info.none_relevant, -1);
    EXPECT_EQ(info.window_method, nullptr);
  }
}

TEST(CAnswer, HasTheIdsInTheOrderOfTheRanking) {
  const auto ranker = load_tiny();
  TextRequest request(3, 1);
  const char* const ids[] = {"a", "b", "c"};
  request->ids = ids;
  const auto answer = rank(ranker.get(), request.get(), budget_of(3));
  const auto order = order_of(answer.get());
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_STREQ(rsd_answer_id(answer.get(), i), ids[order[i]]);
  EXPECT_EQ(rsd_answer_id(answer.get(), 3), nullptr);
  request->ids = nullptr;
  const auto unnamed = rank(ranker.get(), request.get(), budget_of(3));
  EXPECT_EQ(rsd_answer_id(unnamed.get(), 0), std::to_string(order_of(unnamed.get())[0]));
}

TEST(CAnswer, RanksAHistory) {
  const auto ranker = load_tiny();
  TextRequest request(4, 1);
  const char* const history[] = {"Alien", "Solaris"};
  request->query = nullptr;
  request->n_history = 2;
  request->history = history;
  const auto answer = rank(ranker.get(), request.get(), budget_of(2));
  Ranker facade = load_facade();
  Request same = request_of(TextRequest(4, 1));
  same.query.clear();
  same.history = {"Alien", "Solaris"};
  const auto expected = facade.rank(same, {.budget = 2});
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(order_of(answer.get())[0], expected->ranking.items()[0].slot());
  EXPECT_EQ(info_of(answer.get()).prompt_tokens, expected->prompt_tokens);
}

TEST(CAnswer, TextsEndAfterTheirBytes) {
  const auto ranker = load_tiny();
  const char* const texts[] = {"tea and more", "coffee and more"};
  const std::size_t bytes[] = {3, 6};
  TextRequest request(2, 1);
  request->texts = texts;
  const auto whole = rank(ranker.get(), request.get(), budget_of(1));
  request->text_bytes = bytes;
  const auto cut = rank(ranker.get(), request.get(), budget_of(1));
  EXPECT_LT(info_of(cut.get()).prompt_tokens, info_of(whole.get()).prompt_tokens);
}

TEST(CAnswer, HasItsRoundsWhenAsked) {
  const auto ranker = load_tiny();
  const TextRequest request(6, 3);
  auto options = budget_of(3);
  EXPECT_EQ(rsd_answer_n_rounds(rank(ranker.get(), request.get(), options).get()), 0);
  options.keep_rounds = 1;
  const auto answer = rank(ranker.get(), request.get(), options);
  const auto info = info_of(answer.get());
  ASSERT_EQ(rsd_answer_n_rounds(answer.get()), info.encodings);
  rsd_round round{};
  round.struct_size = sizeof round;
  std::size_t known = 0;
  for (std::size_t r = 0; r < info.encodings; ++r) {
    ASSERT_EQ(message_of(rsd_answer_get_round(answer.get(), r, &round)), "");
    EXPECT_EQ(round.n_items, 6);
    EXPECT_GT(round.known, known);  // Theorem 1
    known = round.known;
    ASSERT_GT(round.n_rows, 0);
    const float* row = rsd_answer_round_row(answer.get(), r, 0);
    ASSERT_NE(row, nullptr);
    // The first row's favourite is first in the answer.
    const auto best = static_cast<std::size_t>(std::max_element(row, row + 6) - row);
    EXPECT_EQ(round.items[best], order_of(answer.get())[0]);
    EXPECT_EQ(rsd_answer_round_row(answer.get(), r, round.n_rows), nullptr);
  }
  EXPECT_EQ(known, info.verified_prefix);
  std::vector<std::size_t> proposal(round.proposal, round.proposal + round.n_proposed);
  std::ranges::sort(proposal);
  EXPECT_TRUE(std::ranges::adjacent_find(proposal) == proposal.end());
  EXPECT_THAT(message_of(rsd_answer_get_round(answer.get(), info.encodings, &round)),
              HasSubstr("round is"));
}

TEST(CAnswer, OfALongListNamesItsWindows) {
  const auto ranker = load_tiny();
  const TextRequest request(30, 3);
  auto options = budget_of(0);
  options.window_method = "sliding";
  options.window_size = 10;
  options.window_stride = 5;
  const auto answer = rank(ranker.get(), request.get(), options);
  const auto info = info_of(answer.get());
  EXPECT_STREQ(info.window_method, "sliding");
  EXPECT_EQ(info.window_size, 10);
  EXPECT_EQ(info.n_windows, 5);
  auto order = order_of(answer.get());
  std::ranges::sort(order);
  std::vector<std::size_t> all(30);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(order, all);
}

TEST(CAnswer, SaysWhetherAnyCandidateIsRelevant) {
  rsd_engine_options engine{};
  engine.struct_size = sizeof engine;
  engine.model = "tests/models/tiny-relevance.gguf";
  rsd_ranker* loaded = nullptr;
  ASSERT_EQ(message_of(rsd_ranker_load(&engine, &loaded)), "");
  const OwnedRanker ranker(loaded);
  rsd_ranker_info ranker_info{};
  ranker_info.struct_size = sizeof ranker_info;
  ASSERT_EQ(message_of(rsd_ranker_get_info(loaded, &ranker_info)), "");
  ASSERT_EQ(ranker_info.reads_relevance, 1);
  const TextRequest request(5, 1);
  const auto answer = rank(loaded, request.get(), budget_of(2));
  const auto info = info_of(answer.get());
  EXPECT_EQ(info.relevance_is_probability, 1);
  const double* relevance = rsd_answer_relevance(answer.get());
  EXPECT_EQ(info.none_relevant, *std::max_element(relevance, relevance + 5) < 0.5 ? 1 : 0);
  EXPECT_EQ(rsd_answer_n_listed(answer.get()), 5);

  auto options = budget_of(2);
  options.min_score = relevance[2];
  const auto listed = rank(loaded, request.get(), options);
  const std::size_t n_listed = rsd_answer_n_listed(listed.get());
  EXPECT_EQ(n_listed, std::count_if(relevance, relevance + 5, [&](double probability) {
              return probability >= options.min_score;
            }));
  for (std::size_t i = 0; i < n_listed; ++i)
    EXPECT_GE(relevance[rsd_answer_listed(listed.get())[i]], options.min_score);
}

TEST(CAnswer, BeginsWithThePreviousOrder) {
  const auto ranker = load_tiny();
  TextRequest request(8, 5);
  const auto first = rank(ranker.get(), request.get(), budget_of(8));
  ASSERT_EQ(info_of(first.get()).verified_prefix, 8);
  request->previous = rsd_answer_order(first.get());
  const auto again = rank(ranker.get(), request.get(), budget_of(1));
  EXPECT_EQ(order_of(again.get()), order_of(first.get()));
  EXPECT_EQ(info_of(again.get()).verified_prefix, 8);  // one encoding has verified all of it
}

TEST(CAnswer, NeedsNoLlmForOneText) {
  const auto ranker = load_tiny();
  TextRequest request(2, 1);
  const char* const texts[] = {"", "tea"};
  request->texts = texts;
  const auto answer = rank(ranker.get(), request.get(), budget_of(1));
  EXPECT_THAT(order_of(answer.get()), ElementsAre(1, 0));
  EXPECT_EQ(info_of(answer.get()).encodings, 0);
}

}  // namespace
}  // namespace rsd::bindings
