#include "rsd/window/list_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <string>
#include <vector>

#include "support/items.h"
#include "support/prompts.h"

namespace rsd {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

class ListRequestTest : public testing::Test {
 protected:
  Result<std::shared_ptr<const ListRequest>> make(const Request& request, std::size_t context,
                                                  const ListSettings& settings = {}) const {
    return ListRequest::create(request, settings,
                               {.builder = builder_, .context_tokens = context, .max_items = 40},
                               start_);
  }
  std::shared_ptr<const ListRequest> list(const std::vector<std::string>& texts,
                                          std::size_t context,
                                          const ListSettings& settings = {}) const {
    auto made = make(passage_request("x", texts), context, settings);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return *made;
  }
  std::string shown(const Prompt& prompt) const { return tokenizer_->text_of(prompt.tokens); }

  std::shared_ptr<const FakeTokenizer> tokenizer_ = spaced_tokenizer();
  PromptBuilder builder_{tokenizer_, short_templates()};
  Clock::time_point start_ = Clock::now();
};

std::vector<int> values(const Ranking& ranking) {
  std::vector<int> values;
  for (const ItemId item : ranking.items())
    values.push_back(item.value());
  return values;
}

// ---- One prompt or windows ----------------------------------------------------------------------

TEST_F(ListRequestTest, ShortListsAreOnePrompt) {
  const auto one = list({"aa", "bb", "cc"}, 100);
  EXPECT_TRUE(one->needs_llm());
  EXPECT_FALSE(one->in_windows());
  EXPECT_EQ(shown(*one->prompt(one->order().items())),
            "<open>qx\naa = A\nbb = B\ncc = C\n<close>R:");
}

TEST_F(ListRequestTest, TextsThatDoNotFitTogetherGoInWindowsAndNoneIsCut) {
  const std::vector<std::string> texts(30, std::string(40, 'x'));
  const std::size_t context = 7 + 8 * 45;
  const auto long_list = list(texts, context);
  EXPECT_TRUE(long_list->in_windows());
  EXPECT_EQ(long_list->options().windows.size, 8U);
  EXPECT_EQ(long_list->truncated_candidates(), 0U);
  const auto window = long_list->prompt(long_list->order().items().first(8));
  ASSERT_TRUE(window);
  EXPECT_EQ(window->truncated_candidates, 0U);
  EXPECT_LE(window->tokens.size() + 8, context);
  EXPECT_FALSE(list(texts, 7 + 30 * 45)->in_windows()) << "what fits exactly is one prompt";
  EXPECT_TRUE(list(texts, 7 + 30 * 45 - 1)->in_windows());
}

TEST_F(ListRequestTest, EveryWindowFitsWhicheverTextsMeetInIt) {
  std::vector<std::string> texts(20, "x");
  for (std::size_t i = 0; i < texts.size(); i += 3)
    texts[i] = std::string(50, 'y');
  const std::size_t context = 200;
  const auto long_list = list(texts, context);
  ASSERT_TRUE(long_list->in_windows());
  const std::size_t size = long_list->options().windows.size;
  std::vector<ItemId> longest;  // first
  for (const bool is_long : {true, false})
    for (std::size_t i = 0; i < texts.size(); ++i)
      if ((texts[i].size() > 1) == is_long) longest.emplace_back(i);
  const auto window = long_list->prompt(std::span(longest).first(size));
  ASSERT_TRUE(window);
  EXPECT_EQ(window->truncated_candidates, 0U);
  EXPECT_LE(window->tokens.size() + size, context);
}

TEST_F(ListRequestTest, ATextIsCutOnlyWhereItIsTooLongForAWindowOfTwo) {
  const std::size_t context = 7 + 2 * (5 + 30);
  EXPECT_EQ(list({std::string(30, 'x'), "b", "c"}, context)->truncated_candidates(), 0U);
  const auto cut = list({std::string(31, 'x'), "b", "c"}, context);
  EXPECT_EQ(cut->truncated_candidates(), 1U);
  EXPECT_EQ(cut->shown().candidates[0].text, std::string(30, 'x'));
}

TEST_F(ListRequestTest, ALimitForTextsHoldsWhereTheContextWouldHaveRoom) {
  const auto cut = list({"123456789", "1"}, 1000, {.max_text_tokens = 4});
  EXPECT_EQ(cut->truncated_candidates(), 1U);
  EXPECT_EQ(cut->shown().candidates[0].text, "1234");
}

TEST_F(ListRequestTest, MoreCandidatesThanAnEngineTakesGoInWindows) {
  const auto many = list(std::vector<std::string>(41, "x"), 10'000);
  EXPECT_TRUE(many->in_windows());
  EXPECT_EQ(many->options().windows.size, WindowOptions().size);
  EXPECT_FALSE(list(std::vector<std::string>(40, "x"), 10'000)->in_windows());
}

TEST_F(ListRequestTest, AWindowThatIsAskedForIsTakenWhateverFits) {
  const std::vector<std::string> texts(12, "x");
  const auto asked = list(texts, 10'000, {.windows = {.size = 10}});
  EXPECT_TRUE(asked->in_windows());
  EXPECT_EQ(asked->options().windows.size, 10U);
  EXPECT_EQ(asked->options().windows.method, WindowMethod::kSliding);
  EXPECT_FALSE(list(texts, 10'000, {.windows = {.size = 12}})->in_windows());
}

TEST_F(ListRequestTest, AWindowThatIsTooLargeForItsTextsShrinksWithAllThatHangsOnIt) {
  const std::vector<std::string> texts(12, std::string(40, 'x'));
  const std::size_t context = 7 + 4 * 45;
  const auto sliding = list(texts, context, {.windows = {.size = 10, .stride = 6}});
  EXPECT_EQ(sliding->options().windows.size, 4U);
  EXPECT_EQ(sliding->options().windows.stride, 2U);
  const auto kept = list(texts, context, {.windows = {.size = 10, .stride = 1}});
  EXPECT_EQ(kept->options().windows.stride, 1U);
  const auto tournament = list(
      texts, context, {.windows = {.method = WindowMethod::kTournament, .size = 10, .advance = 5}});
  EXPECT_EQ(tournament->options().windows.advance, 2U);
  const auto top_down =
      list(texts, context, {.windows = {.method = WindowMethod::kTopDown, .size = 10, .pivot = 7}});
  EXPECT_FALSE(top_down->options().windows.pivot);
}

TEST_F(ListRequestTest, WindowsThatNobodyAskedForTakeOneEncodingEachUnlessTheLlmsOwnOrderIsWanted) {
  const std::vector<std::string> texts(12, std::string(40, 'x'));
  const auto method_of = [&](DecoderKind decoder, const WindowChoice& choice = {}) {
    return list(texts, 7 + 4 * 45, {.decoding = {.decoder = decoder}, .windows = choice})
        ->options()
        .windows.method;
  };
  EXPECT_EQ(method_of(DecoderKind::kRsd), WindowMethod::kCalibrated);
  EXPECT_EQ(method_of(DecoderKind::kStd), WindowMethod::kCalibrated);
  EXPECT_EQ(method_of(DecoderKind::kAr), WindowMethod::kSliding);
  EXPECT_EQ(method_of(DecoderKind::kExact), WindowMethod::kSliding);
  EXPECT_EQ(method_of(DecoderKind::kRsd, {.passes = 2}), WindowMethod::kSliding);
  EXPECT_EQ(method_of(DecoderKind::kRsd, {.method = WindowMethod::kTopDown}),
            WindowMethod::kTopDown);
}

TEST_F(ListRequestTest, WindowsThatNobodyAskedForReadRelevanceWhereTheLlmDoes) {
  const Request request = passage_request("x", std::vector<std::string>(12, std::string(40, 'x')));
  const PromptSpace reading{
      .builder = builder_, .context_tokens = 7 + 4 * 45, .max_items = 40, .reads_relevance = true};
  const auto method_of = [&](DecoderKind decoder, const WindowChoice& choice = {}) {
    const ListSettings settings{.decoding = {.decoder = decoder}, .windows = choice};
    return (*ListRequest::create(request, settings, reading, start_))->options().windows.method;
  };
  EXPECT_EQ(method_of(DecoderKind::kRsd), WindowMethod::kRelevance);
  EXPECT_EQ(method_of(DecoderKind::kSd), WindowMethod::kRelevance);
  EXPECT_EQ(method_of(DecoderKind::kAr), WindowMethod::kSliding);
  EXPECT_EQ(method_of(DecoderKind::kRsd, {.size = 3}), WindowMethod::kSliding);
  EXPECT_EQ(method_of(DecoderKind::kRsd, {.method = WindowMethod::kCalibrated}),
            WindowMethod::kCalibrated);
}

TEST_F(ListRequestTest, CuttingCanBeRefused) {
  const auto refused = make(passage_request("x", {"123456789", "1", "12345"}), 1000,
                            {.max_text_tokens = 4, .refuses_long_texts = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kTooLong);
  EXPECT_EQ(refused.error().message(),
            "2 texts would have to be cut to fit the context of 1000 tokens or the limit of 4 "
            "tokens a text");
  Request request = passage_request("x", {"a", "b"});
  request.query = std::string(400, 'q');
  const auto query = make(request, 200, {.refuses_long_texts = true});
  ASSERT_FALSE(query);
  EXPECT_THAT(query.error().message(), HasSubstr("the query or the history would have to be cut"));
  const auto cut = make(request, 200);
  ASSERT_TRUE(cut);
  EXPECT_TRUE((*cut)->truncated_query());
}

// ---- Blank candidates ---------------------------------------------------------------------------

TEST_F(ListRequestTest, BlankCandidatesAreNotShownAndRankedLast) {
  const auto some = list({"", "aa", " \t", "bb", "cc", "\u3000"}, 100);
  EXPECT_THAT(some->items(), ElementsAre(ItemId(1), ItemId(3), ItemId(4)));
  EXPECT_EQ(shown(*some->prompt(some->order().items())),
            "<open>qx\naa = A\nbb = B\ncc = C\n<close>R:");
  ListOutcome answer;
  answer.outcome.ranking = *Ranking::create({ItemId(2), ItemId(0), ItemId(1)});
  answer.outcome.verified_prefix = 2;
  answer.confirmed_prefix = 3;
  some->complete(answer);
  EXPECT_THAT(values(answer.outcome.ranking), ElementsAre(4, 1, 3, 0, 2, 5));
  EXPECT_EQ(answer.outcome.verified_prefix, 2U);
  EXPECT_EQ(answer.confirmed_prefix, 6U) << "where all others are known, so are these";
}

TEST_F(ListRequestTest, OneTextNeedsNoLlm) {
  const auto one = list({"", "aa", ""}, 100);
  EXPECT_FALSE(one->needs_llm());
  const ListOutcome answer = one->settled(start_, start_ + milliseconds(3));
  EXPECT_THAT(values(answer.outcome.ranking), ElementsAre(1, 0, 2));
  EXPECT_EQ(answer.outcome.verified_prefix, 3U);
  EXPECT_EQ(answer.outcome.encodings, 0U);
  EXPECT_FALSE(answer.outcome.deadline_hit);
  EXPECT_DOUBLE_EQ(answer.outcome.timing.total_ms, 3);
}

TEST_F(ListRequestTest, NothingButBlankCandidatesIsAnError) {
  const auto none = make(passage_request("x", {"", " "}), 100);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(none.error().message(), "no candidate has a text");
}

// ---- Deadlines and drafts -----------------------------------------------------------------------

TEST_F(ListRequestTest, ADeadlineThatIsOverGivesTheInputOrderWithoutAPrompt) {
  Request request = passage_request("x", {"a", "", "b"});
  request.query = std::string(1'000, 'q');
  const auto late = make(request, 3, {.deadline = start_});  // no prompt would fit 3 tokens
  ASSERT_TRUE(late);
  EXPECT_FALSE((*late)->needs_llm());
  const ListOutcome answer = (*late)->settled(start_, start_);
  EXPECT_THAT(values(answer.outcome.ranking), ElementsAre(0, 2, 1));
  EXPECT_TRUE(answer.outcome.deadline_hit);
  EXPECT_EQ(answer.outcome.verified_prefix, 0U);
  EXPECT_FALSE(make(request, 3, {.deadline = start_ + milliseconds(1)}));
}

TEST_F(ListRequestTest, ADraftIsTheFirstProposalOfAPromptAndTheFirstOrderOfWindows) {
  const auto draft = *Ranking::create({ItemId(3), ItemId(0), ItemId(2), ItemId(1)});
  const Request request = passage_request("x", {"a", "b", "", "d"});
  const auto one = make(request, 100, {.draft = draft});
  ASSERT_TRUE(one);
  EXPECT_THAT(values((*one)->order()), ElementsAre(0, 1, 2));
  ASSERT_TRUE((*one)->options().decoding.first_proposal);
  EXPECT_THAT(values(*(*one)->options().decoding.first_proposal), ElementsAre(2, 0, 1));
  const auto windows = make(request, 100, {.windows = {.size = 2}, .draft = draft});
  ASSERT_TRUE(windows);
  EXPECT_THAT(values((*windows)->order()), ElementsAre(2, 0, 1));
  EXPECT_FALSE((*windows)->options().decoding.first_proposal);
}

// ---- Work ---------------------------------------------------------------------------------------

TEST_F(ListRequestTest, TheTokensOfOnePromptAreItsOwnAndThoseOfItsRounds) {
  ListSettings settings{.decoding = {.decoder = DecoderKind::kStd}};
  const std::size_t n_prompt = list({"aa", "bb"}, 100)->prompt(items({0, 1}))->tokens.size();
  EXPECT_EQ(list({"aa", "bb"}, 100, settings)->expected_tokens(), n_prompt);
  settings.decoding.decoder = DecoderKind::kAr;
  EXPECT_EQ(list({"aa", "bb"}, 100, settings)->expected_tokens(), n_prompt + 2);
  settings.decoding = {.decoder = DecoderKind::kSd, .budget = 3};
  EXPECT_EQ(list({"aa", "bb"}, 100, settings)->expected_tokens(), n_prompt + 4);
}

TEST_F(ListRequestTest, ManyWindowsOfAShortListAreMuchWork) {
  const std::vector<std::string> texts(1000, "aa");
  const auto expected = [&](std::size_t size) {
    const ListSettings settings{
        .decoding = {.decoder = DecoderKind::kSd, .budget = 2},
        .windows = {.method = WindowMethod::kSliding, .size = size, .stride = 1}};
    return list(texts, 4000, settings)->expected_tokens();
  };
  EXPECT_GT(expected(2), 999 * 20U);
  EXPECT_LT(expected(2), 999 * 30U);
  EXPECT_GT(expected(20), 981 * 150U);
}

TEST_F(ListRequestTest, RelevanceIsRefusedWhereTheLlmDoesNotReadIt) {
  const Request request = passage_request("x", std::vector<std::string>(12, "aa"));
  const ListSettings settings{.windows = {.method = WindowMethod::kRelevance, .size = 5}};
  const auto refused = make(request, 1000, settings);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  const PromptSpace reading{
      .builder = builder_, .context_tokens = 1000, .max_items = 40, .reads_relevance = true};
  EXPECT_TRUE(ListRequest::create(request, settings, reading, start_));
}

TEST_F(ListRequestTest, CalibratedWindowsTakeOneRowEachWhateverTheBudget) {
  const std::vector<std::string> texts(41, "aa");  // the first 20, then 19 at a time and the pivot
  const auto tokens_with = [&](const DecodingOptions& decoding) {
    return list(
               texts, 1000,
               {.decoding = decoding, .windows = {.method = WindowMethod::kCalibrated, .size = 20}})
        ->expected_tokens();
  };
  const std::size_t one_row_each = tokens_with({.decoder = DecoderKind::kStd});
  EXPECT_EQ(tokens_with({.decoder = DecoderKind::kRsd, .budget = 3}), one_row_each);
  EXPECT_EQ(tokens_with({.decoder = DecoderKind::kRsd, .budget = 9}), one_row_each);
  const Ranking first = Ranking::identity(20);
  const std::size_t window = list(texts, 1000)->prompt(first.items())->tokens.size();
  EXPECT_GT(one_row_each, 2 * window) << "three windows";
  EXPECT_LT(one_row_each, 3 * (window + 20));
}

TEST_F(ListRequestTest, WhatTakesMoreThanItMayIsRefusedBeforehand) {
  const std::vector<std::string> texts(1000, "aa");
  ListSettings settings{.windows = {.method = WindowMethod::kSliding, .size = 2, .stride = 1},
                        .max_tokens = 10'000};
  settings.decoding = {.decoder = DecoderKind::kSd, .budget = 2};
  const auto refused = make(passage_request("x", texts), 4000, settings);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kTooLong);
  settings.max_tokens.reset();
  const std::size_t n_tokens = list(texts, 4000, settings)->expected_tokens();
  EXPECT_THAT(refused.error().message(), HasSubstr(std::to_string(n_tokens) + " tokens"));
  EXPECT_THAT(refused.error().message(), HasSubstr("10000"));
  settings.max_tokens = n_tokens;
  EXPECT_TRUE(make(passage_request("x", texts), 4000, settings));
  settings.max_tokens = 10'000;
  settings.budget = 20;  // encodings, of the whole list
  EXPECT_TRUE(make(passage_request("x", texts), 4000, settings));
}

TEST_F(ListRequestTest, AllPromptsOfAListHaveItsScope) {
  const ListSettings settings{.cache_scope = "somebody's"};
  EXPECT_EQ(list({"aa", "bb"}, 100, settings)->prompt(items({0, 1}))->cache_scope, "somebody's");
  const auto windows = list({"aaaaaa", "bbbbbb", "cccccc", "dddddd"}, 34, settings);
  ASSERT_TRUE(windows->in_windows());
  EXPECT_EQ(windows->prompt(items({2, 0}))->cache_scope, "somebody's");
}

}  // namespace
}  // namespace rsd
