#include "rsd/ranker/ranker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ranker/made_up_llm_test.h"
#include "rsd/agent/agent_policy.h"
#include "rsd/decode/policies.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

std::vector<std::size_t> slots(const Answer& answer) {
  std::vector<std::size_t> items;
  for (const ItemId item : answer.ranking.items())
    items.push_back(item.slot());
  return items;
}

TEST(Ranker, ExactGivesTheLlmsOwnRanking) {
  Ranker ranker = made_up_ranker();
  const auto answer = ranker.rank(numbered_request(9, "q"), {.decoder = DecoderKind::kExact});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->ranking, target_of("q", 9));
  EXPECT_EQ(answer->verified_prefix, 9U);
  EXPECT_EQ(answer->decoder, "exact");
  EXPECT_EQ(answer->relevance.size(), 9U);
  EXPECT_TRUE(answer->rounds.empty()) << "nobody asked for them";
}

TEST(Ranker, TheDefaultIsRsdWithThreeEncodings) {
  Ranker ranker = made_up_ranker();
  const auto answer = ranker.rank(numbered_request(12, "q"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->decoder, "rsd");
  EXPECT_EQ(answer->budget, 3U);
  EXPECT_LE(answer->encodings, 3U);
}

TEST(Ranker, ManyRequestsAreAnsweredInTheirOrderEachByItself) {
  Ranker ranker = made_up_ranker(/*parallel=*/3);
  std::vector<Request> requests;
  for (int i = 0; i < 7; ++i)
    requests.push_back(numbered_request(6, "q" + std::to_string(i)));
  requests[2].candidates.clear();
  const auto answers = ranker.rank(requests, {.decoder = DecoderKind::kExact});
  ASSERT_EQ(answers.size(), 7U);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].ok(), i != 2);
    if (i == 2) continue;
    EXPECT_EQ(answers[i]->ranking, target_of("q" + std::to_string(i), 6)) << i;
  }
  EXPECT_THAT(answers[2].error().message(), HasSubstr("candidates is empty"));
}

TEST(Ranker, ASingleCandidateAndADeadlineThatIsOverNeedNoPrompt) {
  Ranker ranker = made_up_ranker();
  const std::size_t n_before = n_tokenised(ranker);
  const auto single = ranker.rank(numbered_request(1, "q"));
  EXPECT_EQ(single->encodings, 0U);
  EXPECT_EQ(single->verified_prefix, 1U);
  const auto late = ranker.prepare(numbered_request(5, "q"), {.deadline = 1ms}, Clock::now() - 1s);
  ASSERT_TRUE(late);
  EXPECT_FALSE((*late)->needs_llm());
  const Answer answer = (*late)->answer_without_llm(Clock::now());
  EXPECT_TRUE(answer.deadline_hit);
  EXPECT_EQ(answer.ranking, Ranking::identity(5));
  EXPECT_GE(answer.total_ms, 1000);
  EXPECT_EQ(n_tokenised(ranker), n_before);
}

TEST(Ranker, BlankCandidatesAreLastAndScoredBelowAllOthers) {
  Ranker ranker = made_up_ranker();
  Request request = numbered_request(4, "q");
  request.candidates[1].text = " ";
  const auto answer = ranker.rank(request, {.decoder = DecoderKind::kExact});
  ASSERT_TRUE(answer);
  EXPECT_EQ(slots(*answer).back(), 1U);
  EXPECT_LT(answer->relevance[3], 1e-3);
  EXPECT_LT(answer->raw_relevance[3], answer->raw_relevance[2] - 29);
}

TEST(Ranker, KeptRoundsHoldTheHistoryByTheRequestsIndices) {
  Ranker ranker = made_up_ranker();
  Request request = numbered_request(4, "q");
  request.candidates[0].text.clear();
  const auto answer = ranker.rank(request, {.decoder = DecoderKind::kExact, .keep_rounds = true});
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->rounds.size(), 1U);
  const RankedPart& part = answer->rounds.front();
  EXPECT_EQ(part.window, 0U);
  EXPECT_THAT(part.items, ElementsAre(ItemId(1), ItemId(2), ItemId(3)));
  EXPECT_EQ(part.history.rounds().size(), answer->encodings);
  EXPECT_EQ(part.round_ms.size(), answer->encodings);
}

TEST(Ranker, KeptRoundsOfWindowsStandInTheOrderOfThePlan) {
  Ranker ranker = made_up_ranker(/*parallel=*/2);
  const auto answer =
      ranker.rank(numbered_request(12, "q"), {.windows = {.size = 5}, .keep_rounds = true});
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_TRUE(answer->windows);
  ASSERT_EQ(answer->rounds.size(), answer->windows->count);
  for (std::size_t i = 1; i < answer->rounds.size(); ++i)
    EXPECT_LT(answer->rounds[i - 1].window, answer->rounds[i].window);
}

TEST(Ranker, ABudgetThatIsNamedIsTheWholeListsAndTheDefaultEachWindows) {
  Ranker ranker = made_up_ranker();
  const RankOptions windows{.windows = {.method = WindowMethod::kSliding, .size = 6}};
  RankOptions named = windows;
  named.budget = 4;
  EXPECT_LE(ranker.rank(numbered_request(18, "q"), named)->encodings, 4U);
  const auto each = ranker.rank(numbered_request(18, "q"), windows);
  EXPECT_EQ(each->budget, kDefaultBudget * each->windows->count);
}

TEST(Ranker, AnEarlierRankingIsTheFirstDraft) {
  Ranker ranker = made_up_ranker();
  const auto answer = ranker.rank(numbered_request(8, "q"),
                                  {.decoder = DecoderKind::kExact, .previous = target_of("q", 8)});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->encodings, 1U) << "all of it is confirmed at once";
  EXPECT_THAT(
      ranker.rank(numbered_request(8, "q"), {.previous = Ranking::identity(7)}).error().message(),
      HasSubstr("previous ranks 7 candidates of 8"));
}

TEST(Ranker, OptionsOutOfRangeAreNamed) {
  Ranker ranker = made_up_ranker();
  const auto fault = [&](const RankOptions& options) {
    const auto answer = ranker.rank(numbered_request(4, "q"), options);
    return answer ? "" : answer.error().message();
  };
  EXPECT_THAT(fault({.budget = 0}), HasSubstr("budget is 0"));
  EXPECT_THAT(fault({.top_n = 0}), HasSubstr("top_n is 0"));
  EXPECT_THAT(fault({.min_score = -0.1}), HasSubstr("min_score is -0.1"));
  EXPECT_THAT(fault({.min_score = 1.5}), HasSubstr("min_score is 1.5"));
  EXPECT_THAT(fault({.min_score = std::nan("")}), HasSubstr("min_score is nan"));
  EXPECT_THAT(fault({.min_score = 0.5}), HasSubstr("LLMs that read relevance"));
  EXPECT_THAT(fault({.max_text_tokens = 0}), HasSubstr("max_text_tokens is 0"));
  EXPECT_THAT(fault({.deadline = 0ms}), HasSubstr("deadline"));
  EXPECT_THAT(fault({.policy = "best"}), HasSubstr("best"));
  EXPECT_THAT(fault({.policy = std::string(kAgentPolicy)}), HasSubstr("no agent"));
  EXPECT_EQ(fault({.decoder = DecoderKind::kAr, .policy = "best"}), "") << "ar has no policy";
}

TEST(Ranker, AnotherPolicyByDefaultDoesNotRuleOutTheAgent) {
  // Fails for the model, after the policies were found to be fine.
  const auto fault = Ranker::load({.model = "nowhere.gguf",
                                   .agent = "models/agent.gguf",
                                   .policy = std::string(kDefaultPolicy)});
  ASSERT_FALSE(fault);
  EXPECT_THAT(fault.error().message(), HasSubstr("nowhere.gguf"));
  const auto unknown = Ranker::load({.model = "nowhere.gguf", .policy = "best"});
  EXPECT_THAT(unknown.error().message(), HasSubstr("best"));
  const auto no_agent = Ranker::load({.model = "nowhere.gguf", .agent = "nowhere-else.gguf"});
  EXPECT_THAT(no_agent.error().message(), HasSubstr("nowhere-else.gguf"));
}

TEST(Ranker, DefaultsDependOnWhereTheLlmRuns) {
  EXPECT_EQ(parallel_of({}), 1U);
  EXPECT_EQ(parallel_of({.remote = RemoteOptions()}), 16U);
  EXPECT_EQ(parallel_of({.parallel = 3, .remote = RemoteOptions()}), 3U);
}

TEST(Ranker, IsCalibratedOnce) {
  Ranker ranker = made_up_ranker();
  EXPECT_TRUE(ranker.calibrate());
  EXPECT_TRUE(ranker.rank(numbered_request(4, "q"), {.deadline = 1min}));
  EXPECT_EQ(n_calibrations(ranker), 1U);
}

TEST(Ranker, IsUsableAfterAMove) {
  Ranker first = made_up_ranker();
  Ranker ranker = std::move(first);
  EXPECT_EQ(ranker.rank(numbered_request(5, "q"), {.decoder = DecoderKind::kExact})->ranking,
            target_of("q", 5));
}

}  // namespace
}  // namespace rsd
