#include "rsd/decode/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "rsd/decode/policies.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

using namespace std::chrono_literals;

// Its time passes by what its encodings claim to take, so deadlines are tested without waiting.
class TimedScorer final : public SyntheticScorer {
 public:
  using SyntheticScorer::SyntheticScorer;

  Clock::time_point now() const { return now_; }

  Result<Prefill> prefill(std::optional<Clock::time_point> give_up_at) override {
    auto done = *SyntheticScorer::prefill(give_up_at);
    if (!spend(prefilled_ ? 0 : done.ms, give_up_at)) return gave_up();
    prefilled_ = true;
    return done;
  }
  Result<Encoding> encode(const EncodingQuery& query) override {
    auto done = *SyntheticScorer::encode(query);
    if (!spend(done.ms, query.give_up_at)) return gave_up();
    return done;
  }

 private:
  static Error gave_up() { return {ErrorCode::kDeadlineExceeded, "given up"}; }
  bool spend(double ms, std::optional<Clock::time_point> give_up_at) {
    const auto end = now_ + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double, std::milli>(ms));
    now_ = give_up_at ? std::min(end, *give_up_at) : end;
    return now_ == end;
  }

  Clock::time_point now_{};
  bool prefilled_ = false;
};

// A prompt of 100 ms, encodings of 5 ms and 2 ms a token.
constexpr std::size_t kItems = 16;

Result<Outcome> run_until(TimedScorer& scorer, DecoderKind kind, double deadline_ms,
                          CostModel* costs = nullptr, Draft draft = Draft::kFirstToken) {
  auto decoding = *Decoding::create(
      kItems, {.decoder = kind, .budget = 8, .draft = draft, .policy = mean_log_prob_policy()});
  return run(
      decoding, scorer,
      {.deadline = scorer.now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double, std::milli>(deadline_ms)),
       .costs = costs,
       .now = [&scorer] { return scorer.now(); }});
}

TEST(Run, BillsPrefillDecodeAndTheirSum) {
  TimedScorer scorer({.n_items = kItems});
  auto decoding = *Decoding::create(kItems, {.decoder = DecoderKind::kAr});
  const auto outcome = *run(decoding, scorer, {.now = [&scorer] { return scorer.now(); }});
  EXPECT_DOUBLE_EQ(outcome.timing.prefill_ms, 100);
  EXPECT_DOUBLE_EQ(outcome.timing.decode_ms,
                   14 * 7);  // 14 encodings of one token after the prompt's
  EXPECT_DOUBLE_EQ(outcome.timing.total_ms, 100 + 14 * 7);
  EXPECT_EQ(outcome.tokens_encoded, 114U);
  EXPECT_FALSE(outcome.deadline_hit);
}

TEST(Run, CountsThePromptTokensThatAnEarlierRequestHadEncoded) {
  struct Reusing : SyntheticScorer {
    using SyntheticScorer::SyntheticScorer;
    Result<Prefill> prefill(std::optional<Clock::time_point>) override {
      static_cast<void>(SyntheticScorer::prefill(std::nullopt));
      return Prefill{.n_tokens = 40, .n_reused = 60, .ms = 40};
    }
  };
  Reusing scorer({.n_items = kItems});
  auto decoding = *Decoding::create(kItems, {.decoder = DecoderKind::kStd});
  const auto outcome = *run(decoding, scorer);
  EXPECT_EQ(outcome.prompt_tokens, 100U);
  EXPECT_EQ(outcome.tokens_reused, 60U);
  EXPECT_EQ(outcome.tokens_encoded, 40U);
}

TEST(Run, SecondDecodingOfARequestIsBilledThePrefillOfTheFirst) {
  TimedScorer scorer({.n_items = kItems});
  for (int i = 0; i < 2; ++i) {
    auto decoding = *Decoding::create(kItems, {.decoder = DecoderKind::kStd});
    const auto outcome = *run(decoding, scorer, {.now = [&scorer] { return scorer.now(); }});
    EXPECT_DOUBLE_EQ(outcome.timing.prefill_ms, 100);
    EXPECT_DOUBLE_EQ(outcome.timing.total_ms, 100);
  }
}

TEST(Deadline, BeforeThePromptIsEncodedGivesTheInputOrder) {
  TimedScorer scorer({.n_items = kItems});
  const auto outcome = *run_until(scorer, DecoderKind::kRsd, 30);
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.ranking, Ranking::identity(kItems));
  EXPECT_EQ(outcome.verified_prefix, 0U);
  EXPECT_EQ(outcome.encodings, 0U);
}

TEST(Deadline, WithKnownCostsAHopelessPromptIsNotStarted) {
  TimedScorer scorer({.n_items = kItems});
  CostModel costs;
  costs.observe_prefill(100, 100);
  const auto start = scorer.now();
  const auto outcome = *run_until(scorer, DecoderKind::kRsd, 30, &costs);
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(scorer.now(), start);
}

TEST(Deadline, StopsBeforeAnEncodingThatWouldEndTooLate) {
  TimedScorer scorer({.n_items = kItems});
  CostModel costs;
  costs.observe_prefill(100, 100);
  for (const std::size_t n : {1U, 8U, 15U}) {
    costs.observe_encoding(n, 5 + 2 * static_cast<double>(n));
  }
  const auto start = scorer.now();
  const auto outcome = *run_until(scorer, DecoderKind::kRsd, 150, &costs);
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.encodings, 2U);  // 100 + 35 ms; a third would end at 165 or later
  EXPECT_LE(scorer.now() - start, 150ms);
  EXPECT_GE(outcome.verified_prefix, 1U);
}

TEST(Deadline, AnEncodingThatIsGivenUpCostsNoneOfWhatWasKnown) {
  TimedScorer scorer({.n_items = kItems});
  const auto outcome = *run_until(scorer, DecoderKind::kRsd, 120);  // within the second encoding
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.encodings, 1U);
  EXPECT_EQ(outcome.verified_prefix, 1U);
}

TEST(Deadline, DraftThatIsGivenUpLeavesThePromptsOwnRow) {
  TimedScorer scorer({.n_items = kItems});
  const auto outcome = *run_until(scorer, DecoderKind::kRsd, 110, nullptr, Draft::kInput);
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.encodings, 1U);
  EXPECT_EQ(outcome.verified_prefix, 1U);
}

TEST(Deadline, ThatIsFarAwayChangesNothing) {
  TimedScorer hurried({.n_items = kItems});
  const auto with = *run_until(hurried, DecoderKind::kRsd, 1e6);
  TimedScorer calm({.n_items = kItems});
  auto decoding = *Decoding::create(
      kItems, {.decoder = DecoderKind::kRsd, .budget = 8, .policy = mean_log_prob_policy()});
  const auto without = *run(decoding, calm, {.now = [&calm] { return calm.now(); }});
  EXPECT_EQ(with.ranking, without.ranking);
  EXPECT_EQ(with.encodings, without.encodings);
  EXPECT_FALSE(with.deadline_hit);
}

TEST(Deadline, WithKnownCostsADraftThatDoesNotFitLeavesThePromptsOwnRow) {
  TimedScorer scorer({.n_items = kItems});
  CostModel costs;
  costs.observe_prefill(100, 100);
  costs.observe_encoding(15, 35);
  const auto outcome = *run_until(scorer, DecoderKind::kRsd, 125, &costs, Draft::kInput);
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.encodings, 1U);
  EXPECT_EQ(outcome.verified_prefix, 1U);
}

TEST(Deadline, WorkThatWasGivenUpIsBilled) {
  TimedScorer prompt({.n_items = kItems});
  EXPECT_DOUBLE_EQ(run_until(prompt, DecoderKind::kRsd, 30)->timing.prefill_ms, 30);
  TimedScorer proposal({.n_items = kItems});
  const auto outcome = *run_until(proposal, DecoderKind::kRsd, 120);
  EXPECT_DOUBLE_EQ(outcome.timing.prefill_ms, 100);
  EXPECT_DOUBLE_EQ(outcome.timing.decode_ms, 20);
  EXPECT_DOUBLE_EQ(outcome.timing.total_ms, 120);
}

TEST(Deadline, OneSlowPromptDoesNotMakeAllLaterOnesHopeless) {
  CostModel costs;
  costs.observe_prefill(100, 1000);  // the machine was busy, once
  int refused = 0;
  for (; refused < 100; ++refused) {
    TimedScorer scorer({.n_items = kItems});
    if (run_until(scorer, DecoderKind::kRsd, 150, &costs)->encodings > 0) break;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 25);
}

TEST(Deadline, TopNAndBudgetTogetherHoldUnderAnyOfThem) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    for (const double deadline_ms : {50.0, 120.0, 160.0, 1e6}) {
      TimedScorer scorer({.seed = seed, .n_items = kItems});
      auto decoding = *Decoding::create(kItems, {.decoder = DecoderKind::kRsd,
                                                 .budget = 1 + seed % 4,
                                                 .top_n = 1 + seed % 7,
                                                 .policy = blend_policy()});
      const auto outcome = *run(
          decoding, scorer,
          {.deadline = scorer.now() + std::chrono::microseconds(std::lround(deadline_ms * 1000)),
           .now = [&scorer] { return scorer.now(); }});
      EXPECT_LE(outcome.encodings, 1 + seed % 4);
      EXPECT_LE(outcome.timing.total_ms, deadline_ms);
      const auto target = scorer.target();
      for (std::size_t j = 0; j < outcome.verified_prefix; ++j) {
        EXPECT_EQ(outcome.ranking.at(Position(j)), target[j]) << "seed " << seed;
      }
    }
  }
}

TEST(Deadline, AppliesToEveryDecoder) {
  for (const auto kind : {DecoderKind::kAr, DecoderKind::kStd, DecoderKind::kSd, DecoderKind::kRsd,
                          DecoderKind::kExact}) {
    TimedScorer scorer({.n_items = kItems});
    const auto outcome = *run_until(scorer, kind, 107.5);
    EXPECT_EQ(outcome.ranking.size(), kItems) << to_string(kind);
    EXPECT_EQ(outcome.deadline_hit, kind != DecoderKind::kStd) << to_string(kind);
  }
}

TEST(Run, FailureOfTheScorerIsTheRunsFailure) {
  SyntheticScorer scorer({.n_items = kItems, .failing_encoding = 1});
  auto decoding = *Decoding::create(kItems, {.decoder = DecoderKind::kAr});
  EXPECT_EQ(run(decoding, scorer).error().code(), ErrorCode::kRuntime);
}

TEST(Run, NaNFromTheLlmIsAnError) {
  struct Broken : SyntheticScorer {
    using SyntheticScorer::SyntheticScorer;
    float logit(std::span<const ItemId> prefix, ItemId item) const override {
      return prefix.size() == 2 && item == ItemId(3) ? NAN : SyntheticScorer::logit(prefix, item);
    }
  };
  for (const auto kind : {DecoderKind::kAr, DecoderKind::kSd}) {
    Broken scorer({.n_items = kItems});
    auto decoding = *Decoding::create(kItems, {.decoder = kind});
    const auto outcome = run(decoding, scorer);
    ASSERT_FALSE(outcome.ok());
    EXPECT_THAT(outcome.error().message(), testing::HasSubstr("position 2 for item 3"));
  }
}

TEST(CostModel, LearnsALine) {
  CostModel costs;
  EXPECT_EQ(costs.encoding_ms(4), std::nullopt);
  for (const std::size_t n : {1U, 4U, 8U, 20U}) {
    costs.observe_encoding(n, 10 + 3 * static_cast<double>(n));
  }
  EXPECT_NEAR(*costs.encoding_ms(12), 46, 1e-6);
}

TEST(CostModel, KeepsTheCostOfASinglePositionApartFromTheLineOfSeveral) {
  CostModel costs;
  costs.observe_encoding(1, 20);
  EXPECT_NEAR(*costs.encoding_ms(4), 20 * 5.7 / 2.7, 1e-9);  // nothing else is known yet
  for (const std::size_t n : {2U, 6U})
    costs.observe_encoding(n, 40 + 5 * static_cast<double>(n));
  EXPECT_NEAR(*costs.encoding_ms(1), 20, 1e-9);
  EXPECT_NEAR(*costs.encoding_ms(4), 60, 1e-6);
}

TEST(CostModel, TakesATypicalMachinesLineBeforeSizesHaveDiffered) {
  CostModel costs;
  costs.observe_encoding(19, 100);
  EXPECT_NEAR(*costs.encoding_ms(4), 100 * 5.7 / 20.7, 1e-9);
}

TEST(CostModel, RemembersWhatMoreTokensCostWhenOnlyOneSizeIsSeenAnyMore) {
  CostModel costs;
  for (const std::size_t n : {1U, 10U, 20U, 1U, 10U})
    costs.observe_encoding(n, 20 + 4.0 * static_cast<double>(n));
  for (int single = 0; single < 500; ++single)
    costs.observe_encoding(1, 24);
  EXPECT_NEAR(*costs.encoding_ms(1), 24, 0.1);
  EXPECT_NEAR(*costs.encoding_ms(11), 64, 0.5);
}

TEST(CostModel, NothingCostsNothing) {
  CostModel costs;
  EXPECT_FALSE(costs.prefill_ms(0));
  costs.observe_prefill(100, 500);
  EXPECT_EQ(costs.prefill_ms(0), 0.0);
}

TEST(CostModel, FollowsAMachineThatSlowsDown) {
  CostModel costs;
  for (int i = 0; i < 100; ++i)
    costs.observe_prefill(100, 100);
  for (int i = 0; i < 100; ++i)
    costs.observe_prefill(100, 300);
  EXPECT_NEAR(*costs.prefill_ms(100), 300, 5);
}

}  // namespace
}  // namespace rsd
