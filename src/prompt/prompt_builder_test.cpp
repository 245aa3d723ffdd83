#include "rsd/prompt/prompt_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "rsd/core/utf8.h"
#include "support/prompts.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string render(const FakeTokenizer& tokenizer, const PromptBuilder& builder,
                   const Request& request) {
  const auto prompt = builder.build(request, 1 << 20);
  return prompt ? tokenizer.text_of(prompt->tokens) : prompt.error().message();
}

TEST(PromptBuilder, RendersTheBuiltInPassagePrompt) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, {});
  EXPECT_EQ(render(*tokenizer, builder, passage_request("cats?", {"one", "two"})),
            "<open>Rank the 2 texts by relevance to the query.\n"
            "Query: cats?\n"
            "- one = A\n"
            "- two = B\n"
            "Query: cats?\n"
            "<close>Ranking:");
}

TEST(PromptBuilder, RendersTheBuiltInRecommendationPrompt) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, {});
  Request request = passage_request("", {"Go", "Chess"});
  request.task = Task::kRecommendation;
  request.history = {"Risk", "Catan"};
  EXPECT_EQ(render(*tokenizer, builder, request),
            "<open>A user has liked, in order:\n"
            "- Risk\n"
            "- Catan\n"
            "Rank the 2 candidates by how likely the user is to choose them next.\n"
            "- Go = A\n"
            "- Chess = B\n"
            "<close>Ranking:");
}

TEST(PromptBuilder, TakesTheNewestOfALongHistory) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, {});
  Request request = passage_request("", {"Go"});
  request.task = Task::kRecommendation;
  for (int i = 0; i < 12; ++i)
    request.history.push_back("game" + std::to_string(i));
  const std::string text = render(*tokenizer, builder, request);
  EXPECT_THAT(text, HasSubstr("in order:\n- game2\n"));
  EXPECT_THAT(text, HasSubstr("- game11\nRank"));
}

TEST(PromptBuilder, PutsIdentifiersInAsTokens) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, short_templates());
  const auto prompt = builder.build(passage_request("x", {"one", "two", "three"}), 1000);
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->identifiers.size(), 3U);
  for (const IdentifierToken identifier : prompt->identifiers) {
    EXPECT_EQ(std::ranges::count(prompt->tokens, TokenId(identifier.value())), 1);
  }
  EXPECT_EQ(prompt->truncated_candidates, 0U);
  EXPECT_FALSE(prompt->text_limit);
}

TEST(PromptBuilder, BareIdentifiersKeepTheSpaceBeforeThem) {
  const auto tokenizer = std::make_shared<FakeTokenizer>(std::vector<std::string>{});
  const PromptBuilder builder(tokenizer, short_templates());
  EXPECT_EQ(render(*tokenizer, builder, passage_request("x", {"one"})),
            "<open>qx\none = A\n<close>R:");
}

TEST(PromptBuilder, SystemTextHasItsOwnTurn) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, templates_of("task: passage\n"
                                                      "system: 'Rank {num}.'\n"
                                                      "prefix: '{query}'\n"
                                                      "body: ' {text} {identifier}'\n"
                                                      "suffix: ' end'\n"
                                                      "answer: ''\n"));
  EXPECT_EQ(render(*tokenizer, builder, passage_request("x", {"one", "two"})),
            "<open>Rank 2.<between>x one A two B end<close>");
}

TEST(PromptBuilder, TextsAreData) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, short_templates());
  const std::string text = render(
      *tokenizer, builder,
      passage_request("q\nAnswer: {text}\r\n", {"{identifier} {query}\n\nx = B", "\u2028two"}));
  EXPECT_EQ(text, "<open>qq Answer: {text}\n{identifier} {query} x = B = A\ntwo = B\n<close>R:");
}

TEST(PromptBuilder, TooManyCandidatesAreUnsupported) {
  const auto tokenizer = std::make_shared<FakeTokenizer>(std::vector<std::string>{" A", " B"},
                                                         FakeFallback::kTwoTokensAByte);
  const PromptBuilder builder(tokenizer, short_templates());
  EXPECT_EQ(builder.identifiers(Task::kPassage).size(), 2U);
  EXPECT_TRUE(builder.build(passage_request("x", {"1", "2"}), 1000));
  const auto prompt = builder.build(passage_request("x", {"1", "2", "3"}), 1000);
  ASSERT_FALSE(prompt);
  EXPECT_EQ(prompt.error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(prompt.error().message(),
            "the request has 3 candidates; this model's tokenizer has 2 single-token identifiers");
}

// Every byte a token: <open> q x \n, text + " =" + identifier + \n each, <close> R :
std::size_t n_tokens(const std::vector<std::size_t>& text_lengths) {
  std::size_t n = 4 + 3;
  for (const std::size_t length : text_lengths)
    n += length + 4;
  return n;
}

TEST(PromptBuilderCut, WhatFitsExactlyIsNotCut) {
  const PromptBuilder builder(spaced_tokenizer(), short_templates());
  const auto request = passage_request("x", {"aaaaaaaaaa", "bbbbb"});
  const std::size_t context = n_tokens({10, 5}) + 2;  // two identifiers to answer with
  const auto whole = builder.build(request, context);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->truncated_candidates, 0U);
  const auto cut = builder.build(request, context - 1);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->text_limit, 9U);
  EXPECT_EQ(cut->truncated_candidates, 1U);
}

TEST(PromptBuilderCut, TakesTheLongestLimitThatFits) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, short_templates());
  const std::vector<std::size_t> lengths{3, 17, 40, 8};
  std::vector<std::string> texts;
  for (const std::size_t length : lengths)
    texts.emplace_back(length, 'x');
  const auto cut_to = [&](std::size_t limit) {
    auto cut = lengths;
    for (auto& length : cut)
      length = std::min(length, limit);
    return cut;
  };
  for (std::size_t context = n_tokens(cut_to(1)) + 4; context < n_tokens(lengths) + 4; ++context) {
    const auto prompt = builder.build(passage_request("x", texts), context);
    ASSERT_TRUE(prompt) << context;
    ASSERT_TRUE(prompt->text_limit);
    const std::size_t limit = *prompt->text_limit;
    EXPECT_EQ(prompt->tokens.size(), n_tokens(cut_to(limit)));
    EXPECT_LE(prompt->tokens.size() + 4, context);
    EXPECT_GT(n_tokens(cut_to(limit + 1)) + 4, context) << "one more token a text would fit";
    EXPECT_EQ(prompt->truncated_candidates,
              static_cast<std::size_t>(
                  std::ranges::count_if(lengths, [&](std::size_t n) { return n > limit; })));
  }
}

TEST(PromptBuilderCut, ALimitForTextsHoldsWhereTheContextWouldHaveRoom) {
  const PromptBuilder builder(spaced_tokenizer(), short_templates());
  const Request request = passage_request("x", {"12345678", "123"});
  const auto cut = builder.build(request, 1000, 5);
  const auto alike = builder.build(passage_request("x", {"12345", "123"}), 1000);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->tokens, alike->tokens);
  EXPECT_EQ(cut->truncated_candidates, 1U);
  EXPECT_EQ(cut->text_limit, 5U);
  EXPECT_EQ(builder.build(request, 1000, 8)->truncated_candidates, 0U);
}

TEST(PromptBuilderCut, KeepsCharactersWhole) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, short_templates());
  const std::string emoji = "a😀😀é😀";  // 1 + 4 + 4 + 2 + 4 bytes
  for (std::size_t context = n_tokens({1}) + 1; context <= n_tokens({15}) + 1; ++context) {
    const auto prompt = builder.build(passage_request("x", {emoji}), context);
    ASSERT_TRUE(prompt);
    EXPECT_FALSE(find_invalid_utf8(tokenizer->text_of(prompt->tokens))) << context;
  }
}

TEST(PromptBuilderCut, ACharacterThatDoesNotFitGoes) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, short_templates());
  const auto prompt = builder.build(passage_request("x", {"😀"}), n_tokens({3}) + 1);
  ASSERT_TRUE(prompt);
  EXPECT_EQ(tokenizer->text_of(prompt->tokens), "<open>qx\n = A\n<close>R:");
  EXPECT_EQ(prompt->truncated_candidates, 1U);
}

TEST(PromptBuilderCut, ImpossibleRequestIsTooLong) {
  const PromptBuilder builder(spaced_tokenizer(), short_templates());
  const auto request = passage_request("x", {"aaaa", "bbbb"});
  const std::size_t smallest = n_tokens({1, 1}) + 2;
  EXPECT_TRUE(builder.build(request, smallest));
  const auto prompt = builder.build(request, smallest - 1);
  ASSERT_FALSE(prompt);
  EXPECT_EQ(prompt.error().code(), ErrorCode::kTooLong);
  EXPECT_EQ(prompt.error().message(),
            "the prompt takes 17 tokens even with every candidate's text cut to 1 token; the "
            "context has room for 16");
}

TEST(PromptBuilderCut, ContextSmallerThanTheRankingIsTooLong) {
  const PromptBuilder builder(spaced_tokenizer(), short_templates());
  for (const std::size_t context : {0U, 1U, 2U}) {
    const auto prompt = builder.build(passage_request("x", {"a", "b"}), context);
    ASSERT_FALSE(prompt);
    EXPECT_EQ(prompt.error().code(), ErrorCode::kTooLong);
  }
}

TEST(PromptBuilderCut, HugeTextsAreCutQuickly) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, short_templates());
  const std::string huge(1 << 20, 'x');
  const auto start = std::chrono::steady_clock::now();
  const auto prompt = builder.build(passage_request("x", {huge, huge, "short"}), 512);
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->truncated_candidates, 2U);
  EXPECT_LE(prompt->tokens.size() + 3, 512U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(PromptBuilderCut, AHugeQueryIsCutToHalfOfTheContext) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, short_templates());
  const Request request = passage_request(std::string(1 << 20, 'x'), {"a", "b"});
  const auto prompt = builder.build(request, 512);
  ASSERT_TRUE(prompt);
  EXPECT_TRUE(prompt->truncated_query);
  EXPECT_EQ(prompt->truncated_candidates, 0U);
  const std::string text = tokenizer->text_of(prompt->tokens);
  EXPECT_EQ(std::ranges::count(text, 'x'), 256);
  EXPECT_FALSE(builder.build(passage_request(std::string(256, 'x'), {"a"}), 512)->truncated_query);
}

TEST(PromptBuilderCut, AQueryThatStandsTwiceIsCutToAQuarterEach) {
  const auto tokenizer = spaced_tokenizer();
  const PromptBuilder builder(tokenizer, {});
  const auto prompt = builder.build(passage_request(std::string(5'000, '7'), {"a", "b"}), 800);
  ASSERT_TRUE(prompt);
  const std::string text = tokenizer->text_of(prompt->tokens);
  EXPECT_EQ(std::ranges::count(text, '7'), 400);
}

// "q{history}\n", a title as "-{title}\n".
PromptTemplates history_templates() {
  return templates_of(
      "task: recommendation\n"
      "history_item: \"-{title}\\n\"\n"
      "prefix: \"q{history}\\n\"\n"
      "body: \"{text} = {identifier}\\n\"\n"
      "answer: 'R:'\n");
}

Request history_request(const std::vector<std::string>& titles) {
  Request request = passage_request("", {"a", "b"});
  request.task = Task::kRecommendation;
  request.history = titles;
  return request;
}

TEST(PromptBuilderFit, LongTitlesAreCutToOneLimit) {
  const PromptBuilder builder(spaced_tokenizer(), history_templates());
  const auto titles = {std::string(60, 'l'), std::string(5, 's'), std::string(4'000'000, 'h')};
  // 50 tokens for the history: 2 a line, so 44 for the titles: 5, and 19 of each of the others.
  const auto fitted = builder.fit(history_request(titles), {.context_tokens = 100});
  ASSERT_TRUE(fitted);
  EXPECT_TRUE(fitted->truncated_query);
  EXPECT_THAT(fitted->request.history,
              ElementsAre(std::string(19, 'l'), "sssss", std::string(19, 'h')));
}

TEST(PromptBuilderFit, TheOldestTitlesGoWhereTheOthersWouldBeCutToNothing) {
  const PromptBuilder builder(spaced_tokenizer(), history_templates());
  std::vector<std::string> titles;
  for (char c = 'a'; c <= 'j'; ++c)
    titles.emplace_back(9, c);
  const auto fitted = builder.fit(history_request(titles), {.context_tokens = 100});
  ASSERT_TRUE(fitted);  // 50 tokens, 10 for a line with a title of 8
  EXPECT_TRUE(fitted->truncated_query);
  EXPECT_THAT(fitted->request.history,
              ElementsAre(std::string(8, 'f'), std::string(8, 'g'), std::string(8, 'h'),
                          std::string(8, 'i'), std::string(8, 'j')));
  const auto whole = builder.fit(history_request(titles), {.context_tokens = 220});
  ASSERT_TRUE(whole);
  EXPECT_FALSE(whole->truncated_query);
  EXPECT_EQ(whole->request.history, titles);
}

TEST(PromptBuilderFit, ManyShortTitlesStayWhereTheyFit) {
  const PromptBuilder builder(spaced_tokenizer(), history_templates());
  const std::vector<std::string> titles(16, "t");  // 3 tokens a line
  const auto fitted = builder.fit(history_request(titles), {.context_tokens = 100});
  ASSERT_TRUE(fitted);
  EXPECT_FALSE(fitted->truncated_query);
  EXPECT_EQ(fitted->request.history.size(), 16U);
}

TEST(PromptBuilderFit, AContextWithoutRoomForTwoCandidatesIsTooLong) {
  const PromptBuilder builder(spaced_tokenizer(), short_templates());
  const auto request = passage_request("x", {"aaa", "bbb", "ccc"});
  const std::size_t smallest = n_tokens({1, 1}) + 2;
  EXPECT_TRUE(builder.fit(request, {.context_tokens = smallest}));
  const auto fitted = builder.fit(request, {.context_tokens = smallest - 1});
  ASSERT_FALSE(fitted);
  EXPECT_EQ(fitted.error().code(), ErrorCode::kTooLong);
  EXPECT_THAT(fitted.error().message(), HasSubstr("has no room for 2 candidates"));
}

TEST(PromptBuilderFit, WhatCanNotFitIsNotTokenised) {
  const auto tokenizer = std::make_shared<CountingTokenizer>();
  for (const auto& templates : {short_templates(), history_templates()}) {
    const PromptBuilder builder(tokenizer, templates);
    Request request = history_request(std::vector<std::string>(10, std::string(400'000, 'h')));
    if (templates.for_task(Task::kPassage).name == "test") request.task = Task::kPassage;
    request.query = std::string(4'000'000, 'x');
    request.candidates[0].text = std::string(4'000'000, 'y');
    tokenizer->n_bytes = 0;
    ASSERT_TRUE(builder.fit(request, {.context_tokens = 1000}));
    EXPECT_LT(tokenizer->n_bytes, 40'000U) << "a context of 1,000 tokens is 16,000 bytes";
  }
}

}  // namespace
}  // namespace rsd
