#include "rsd/decode/batch_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "rsd/decode/policies.h"
#include "support/synthetic_llm.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

const DecodingOptions kRsd{.decoder = DecoderKind::kRsd, .budget = 4, .policy = blend_policy()};

class Batch : public testing::Test {
 protected:
  PositionScorer* add(std::size_t ticket, SyntheticOptions options,
                      std::optional<double> deadline_ms = std::nullopt) {
    options.seed = ticket;
    auto scorer = std::make_unique<SyntheticScorer>(options);
    PositionScorer* const added = scorer.get();
    std::optional<Clock::time_point> deadline;
    if (deadline_ms) deadline = llm_.now() + duration_of(*deadline_ms);
    auto decoding = *Decoding::create(scorer->n_items(), kRsd);
    batch_.add(ticket, std::move(decoding), std::move(scorer), {.deadline = deadline});
    return added;
  }
  // Until all are through.
  void run() {
    for (int steps = 0; batch_.size() > 0; ++steps) {
      ASSERT_LT(steps, 100);
      for (auto& finished : batch_.step()) {
        order_.push_back(finished.ticket);
        if (finished.outcome) {
          outcomes_[finished.ticket] = *std::move(finished.outcome);
        } else {
          failures_[finished.ticket] = finished.outcome.error().message();
        }
      }
    }
  }

  SyntheticLlm llm_;
  CostModel costs_;
  BatchRun batch_{llm_, &costs_, [this] { return llm_.now(); }};
  std::vector<std::size_t> order_;
  std::map<std::size_t, Outcome> outcomes_;
  std::map<std::size_t, std::string> failures_;
};

TEST_F(Batch, AnswersEachRequestAsIfItWereAlone) {
  for (std::size_t ticket = 1; ticket <= 6; ++ticket)
    add(ticket, {.n_items = 4 + 3 * ticket});
  run();
  ASSERT_EQ(outcomes_.size(), 6U);
  for (const auto& [ticket, outcome] : outcomes_) {
    SyntheticScorer scorer({.seed = ticket, .n_items = 4 + 3 * ticket});
    auto decoding = *Decoding::create(scorer.n_items(), kRsd);
    const Outcome alone = *rsd::run(decoding, scorer);
    EXPECT_EQ(outcome.ranking, alone.ranking) << ticket;
    EXPECT_EQ(outcome.encodings, alone.encodings);
    EXPECT_EQ(outcome.tokens_encoded, alone.tokens_encoded);
    EXPECT_EQ(outcome.verified_prefix, alone.verified_prefix);
  }
}

TEST_F(Batch, MakesOnePassARoundForAll) {
  for (std::size_t ticket = 1; ticket <= 5; ++ticket)
    add(ticket, {.n_items = 20});
  run();
  EXPECT_EQ(llm_.passes().size(), 4U);  // the budget
  EXPECT_THAT(llm_.passes(), Each(testing::SizeIs(5)));
  EXPECT_THAT(order_, ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(Batch, TakesInRequestsWhileOthersAreUnderWay) {
  add(1, {.n_items = 20});
  batch_.step();
  batch_.step();
  add(2, {.n_items = 20});
  run();
  EXPECT_THAT(order_, ElementsAre(1, 2));
  EXPECT_EQ(llm_.passes().size(), 6U);
}

TEST_F(Batch, ARequestOfOneCandidateNeedsNoPass) {
  add(1, {.n_items = 1});
  run();
  EXPECT_EQ(outcomes_.at(1).encodings, 0U);
  EXPECT_TRUE(llm_.passes().empty());
}

TEST_F(Batch, WaitingForOthersShowsInTheTotalOnly) {
  add(1, {.n_items = 20});
  add(2, {.n_items = 20});
  run();
  const Outcome::Timing& timing = outcomes_.at(1).timing;
  EXPECT_EQ(timing.prefill_ms, 100);
  EXPECT_GT(timing.total_ms, 1.9 * (timing.prefill_ms + timing.decode_ms));
}

TEST_F(Batch, AFailingRequestTakesNoOtherWithIt) {
  add(1, {.n_items = 20});
  add(2, {.n_items = 20, .failing_encoding = 1});
  add(3, {.n_items = 20});
  run();
  EXPECT_EQ(outcomes_.size(), 3U);  // it failed in company, once, and went through alone
  add(4, {.n_items = 20, .failing_encoding = 0});
  run();
  EXPECT_THAT(failures_.at(4), HasSubstr("as the test asked"));
}

TEST_F(Batch, TheEarliestDeadlineHoldsBecauseOthersWait) {
  costs_.observe_prefill(100, 100);
  add(1, {.n_items = 20});
  PositionScorer* const urgent = add(2, {.n_items = 20}, 150);
  run();
  EXPECT_THAT(llm_.passes().front(), ElementsAre(urgent));
  EXPECT_LE(outcomes_.at(2).timing.total_ms, 150);
  EXPECT_GE(outcomes_.at(2).encodings, 1U);
  EXPECT_EQ(outcomes_.at(1).encodings, 4U);
}

TEST_F(Batch, APassThatRunsIntoADeadlineEndsWhoIsLateAndServesTheOthersAgain) {
  add(1, {.n_items = 20});
  add(2, {.n_items = 20}, 150);  // nothing is known of the costs: both prompts are tried together
  run();
  EXPECT_TRUE(outcomes_.at(2).deadline_hit);
  EXPECT_EQ(outcomes_.at(2).timing.total_ms, 150);
  EXPECT_EQ(outcomes_.at(2).encodings, 0U);
  EXPECT_FALSE(outcomes_.at(1).deadline_hit);
  EXPECT_EQ(outcomes_.at(1).encodings, 4U);
}

TEST_F(Batch, ARequestWithoutDeadlineIsNotPassedOverForEver) {
  costs_.observe_prefill(100, 100);
  PositionScorer* const patient = add(0, {.n_items = 20});
  const auto start = llm_.now();
  for (std::size_t ticket = 1; !outcomes_.contains(0); ++ticket) {
    ASSERT_LT(llm_.now() - start, 2 * kPatience);
    add(ticket, {.n_items = 20}, 150);  // there is always one that is more urgent
    for (auto& finished : batch_.step())
      outcomes_[finished.ticket] = *std::move(finished.outcome);
  }
  EXPECT_THAT(llm_.passes().front(), testing::Not(testing::Contains(patient)));
  EXPECT_EQ(outcomes_.at(0).encodings, 4U);
}

TEST_F(Batch, ItsArrivalCountsNotWhenItIsAdded) {
  costs_.observe_prefill(100, 1000);
  auto scorer = std::make_unique<SyntheticScorer>(SyntheticOptions{.n_items = 20});
  PositionScorer* const early = scorer.get();
  add(1, {.n_items = 20}, 1500);
  batch_.add(2, *Decoding::create(20, kRsd), std::move(scorer),
             {.arrival = llm_.now() - kPatience});
  batch_.step();
  EXPECT_THAT(llm_.passes().front(), testing::Contains(early));
}

TEST_F(Batch, ACancelledRequestIsGone) {
  add(1, {.n_items = 20});
  add(2, {.n_items = 20});
  batch_.step();
  EXPECT_TRUE(batch_.cancel(1));
  EXPECT_FALSE(batch_.cancel(1));
  EXPECT_EQ(batch_.size(), 1U);
  run();
  EXPECT_THAT(order_, ElementsAre(2));
}

TEST_F(Batch, WhatNeedsNoPassDoesNotWaitForOne) {
  add(1, {.n_items = 20});
  add(2, {.n_items = 1});
  const auto finished = batch_.step();
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished.front().ticket, 2U);
  EXPECT_TRUE(llm_.passes().empty());
}

TEST_F(Batch, AStreamOfRequestsThatNeedNoPassKeepsNobodyFromOne) {
  add(1, {.n_items = 20});
  std::size_t n_steps = 0;
  for (; n_steps < 100 && !outcomes_.contains(1); ++n_steps) {
    add(100 + n_steps, {.n_items = 1}, 1000);  // due first
    for (auto& finished : batch_.step())
      outcomes_[finished.ticket] = *std::move(finished.outcome);
  }
  EXPECT_EQ(outcomes_.at(1).encodings, 4U);
  EXPECT_LT(n_steps, 60U);
}

TEST_F(Batch, ARequestThatIsLeftOutOfAPassIsReportedWithItsAnswerSoFar) {
  costs_.observe_prefill(100, 100);
  costs_.observe_encoding(19, 20);
  std::map<std::size_t, Outcome> left_out;
  batch_.on_left_out([&](std::size_t ticket, const Outcome& so_far) { left_out[ticket] = so_far; });
  add(1, {.n_items = 20}, 1000);
  batch_.step();
  EXPECT_TRUE(left_out.empty());
  add(2, {.n_items = 20}, 105);  // its prompt and the other's encoding don't fit together
  batch_.step();
  ASSERT_TRUE(left_out.contains(1));
  EXPECT_FALSE(left_out.contains(2));
  EXPECT_EQ(left_out.at(1).encodings, 1U);
  EXPECT_EQ(left_out.at(1).ranking.size(), 20U);
  EXPECT_FALSE(left_out.at(1).deadline_hit);
}

TEST_F(Batch, TheTokensOfThePromptAreReported) {
  add(1, {.n_items = 20});
  run();
  EXPECT_EQ(outcomes_.at(1).prompt_tokens, 100U);
  EXPECT_EQ(outcomes_.at(1).tokens_reused, 0U);
  ASSERT_EQ(outcomes_.at(1).round_ms.size(), outcomes_.at(1).encodings);
  EXPECT_EQ(outcomes_.at(1).round_ms.front(), 100);  // the prompt's
}

// ---- Passes that are limited
// ----------------------------------------------------------------------

// A token of a prompt takes a millisecond.
class LimitedBatch : public Batch {
 protected:
  LimitedBatch() {
    costs_.observe_prefill(100, 100);
    costs_.observe_prefill(200, 200);
    costs_.observe_encoding(10, 25);
    costs_.observe_encoding(20, 45);
    batch_.limit_passes(std::chrono::milliseconds(200));
  }
  static constexpr SyntheticOptions kLong{.n_items = 20, .n_prompt_tokens = 10'000};
  static constexpr SyntheticOptions kShort{.n_items = 2, .n_prompt_tokens = 50};

  // The time of one step.
  double step() {
    const auto start = llm_.now();
    for (auto& finished : batch_.step()) {
      order_.push_back(finished.ticket);
      outcomes_[finished.ticket] = *std::move(finished.outcome);
    }
    return ms_between(start, llm_.now());
  }
};

TEST_F(LimitedBatch, ALongPromptGoesThroughInPiecesAndIsOneEncoding) {
  add(1, {.n_items = 20, .n_prompt_tokens = 1000});
  while (batch_.size() > 0)
    EXPECT_LE(step(), 200);
  EXPECT_EQ(llm_.passes().size(), 6U + 3U);  // of 192 tokens each, as 32 at a time are worth it
  const Outcome& outcome = outcomes_.at(1);
  SyntheticScorer scorer({.seed = 1, .n_items = 20, .n_prompt_tokens = 1000});
  auto decoding = *Decoding::create(20, kRsd);
  const Outcome whole = *rsd::run(decoding, scorer);
  EXPECT_EQ(outcome.ranking, whole.ranking);
  EXPECT_EQ(outcome.encodings, whole.encodings);
  EXPECT_EQ(outcome.tokens_encoded, whole.tokens_encoded);
  EXPECT_EQ(outcome.prompt_tokens, 1000U);
  EXPECT_EQ(outcome.timing.prefill_ms, 1000);
  EXPECT_EQ(outcome.round_ms.front(), 1000);
}

TEST_F(LimitedBatch, NoPieceOfAPromptIsMoreThanAMicroBatchHoweverLittleItIsExpectedToTake) {
  CostModel costs;
  costs.observe_prefill(100, 0.1);
  BatchRun batch(llm_, &costs, [this] { return llm_.now(); });
  batch.limit_passes(std::chrono::milliseconds(200));
  batch.add(1, *Decoding::create(20, kRsd), std::make_unique<SyntheticScorer>(kLong));
  batch.step();
  EXPECT_EQ(llm_.now(), Clock::time_point() + duration_of(512));
}

TEST_F(LimitedBatch, RowsOfALongEncodingGoThroughInPiecesAndAreOneRound) {
  add(1, {.n_items = 400});
  while (batch_.size() > 0)
    EXPECT_LE(step(), 205);
  EXPECT_GE(llm_.passes().size(), 1U + 3U * 5U);
  SyntheticScorer scorer({.seed = 1, .n_items = 400});
  auto decoding = *Decoding::create(400, kRsd);
  const Outcome whole = *rsd::run(decoding, scorer);
  EXPECT_EQ(outcomes_.at(1).ranking, whole.ranking);
  EXPECT_EQ(outcomes_.at(1).encodings, whole.encodings);
  EXPECT_EQ(outcomes_.at(1).tokens_encoded, whole.tokens_encoded);
  EXPECT_EQ(outcomes_.at(1).verified_prefix, whole.verified_prefix);
}

TEST_F(LimitedBatch, ShortRequestsGetInBetweenThePiecesOfLongOnes) {
  for (std::size_t ticket = 1; ticket <= 4; ++ticket)
    add(ticket, kLong);
  step();
  for (std::size_t ticket = 11; ticket <= 30; ++ticket) {
    add(ticket, kShort);
    const auto start = llm_.now();
    while (!outcomes_.contains(ticket))
      step();
    EXPECT_LT(ms_between(start, llm_.now()), 600) << ticket;
  }
  while (batch_.size() > 0)
    step();
  EXPECT_EQ(outcomes_.size(), 24U);
}

TEST_F(LimitedBatch, ADeadlineAfterALongPromptIsTimeEnough) {
  add(1, kLong);
  step();
  add(2, kShort, 500);
  while (!outcomes_.contains(2))
    step();
  EXPECT_EQ(outcomes_.at(2).verified_prefix, 2U);
  EXPECT_FALSE(outcomes_.at(2).deadline_hit);
}

TEST_F(LimitedBatch, AnOldRequestsPassesHaveRoomForOneWithADeadline) {
  CostModel costs;  // too good to be true
  costs.observe_prefill(100, 30);
  BatchRun batch(llm_, &costs, [this] { return llm_.now(); });
  batch.limit_passes(std::chrono::milliseconds(200));
  batch.add(
      1, *Decoding::create(20, kRsd),
      std::make_unique<SyntheticScorer>(SyntheticOptions{.n_items = 20, .n_prompt_tokens = 900}),
      {.arrival = llm_.now() - 2 * kPatience, .waits_since = llm_.now()});
  batch.add(2, *Decoding::create(2, kRsd), std::make_unique<SyntheticScorer>(kShort),
            {.deadline = llm_.now() + duration_of(800)});
  std::vector<BatchRun::Finished> finished;
  while (finished.empty())
    finished = batch.step();
  EXPECT_EQ(finished.front().ticket, 2U);
  EXPECT_FALSE(finished.front().outcome->deadline_hit);
}

TEST_F(LimitedBatch, AStreamOfShortRequestsDoesNotKeepALongOneOutForEver) {
  add(1, {.n_items = 20, .n_prompt_tokens = 1500});
  const auto start = llm_.now();
  for (std::size_t ticket = 2; !outcomes_.contains(1); ++ticket) {
    ASSERT_LT(ms_between(start, llm_.now()), 100'000);
    while (batch_.size() < 6)
      add(100 * ticket + batch_.size(), {.n_items = 20, .n_prompt_tokens = 200});
    step();
  }
}

TEST_F(LimitedBatch, AShortDeadlineDoesNotMakeALongRequestGoFirst) {
  add(1, {.n_items = 20, .n_prompt_tokens = 3000}, 4000);
  PositionScorer* const added = add(2, kShort);  // due later
  step();
  EXPECT_THAT(llm_.passes().front(), testing::Contains(added));
}

TEST_F(LimitedBatch, PiecesOfAListCountForTheWholeOfIt) {
  add(1, {.n_items = 20, .n_prompt_tokens = 150});
  auto scorer = std::make_unique<SyntheticScorer>(SyntheticOptions{.n_items = 20});
  PositionScorer* const of_long_list = scorer.get();
  batch_.add(2, *Decoding::create(20, kRsd), std::move(scorer),
             {.deadline = llm_.now() + duration_of(2000), .llm_ms = 60'000});
  step();
  EXPECT_THAT(llm_.passes().front(), testing::Not(testing::Contains(of_long_list)));
}

TEST_F(LimitedBatch, RowsThatAreThereWhenTheDeadlineComesCount) {
  CostModel costs;  // too good to be true
  costs.observe_prefill(100, 100);
  costs.observe_encoding(10, 10);
  costs.observe_encoding(20, 20);
  BatchRun batch(llm_, &costs, [this] { return llm_.now(); });
  batch.limit_passes(std::chrono::milliseconds(200));
  batch.add(1, *Decoding::create(400, kRsd),
            std::make_unique<SyntheticScorer>(SyntheticOptions{.n_items = 400}),
            {.deadline = llm_.now() + duration_of(650)});
  std::vector<BatchRun::Finished> finished;
  while (finished.empty())
    finished = batch.step();
  const Outcome& outcome = *finished.front().outcome;
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.encodings, 2U);  // the prompt, and a round that was cut short
  EXPECT_LE(outcome.timing.total_ms, 650);
  EXPECT_GT(outcome.tokens_encoded, 100U + 100U);
  EXPECT_LT(outcome.tokens_encoded, 100U + 399U);
}

// Every token takes the longer the more stand before it in its prompt.
class DeepLlm final : public BatchScorer {
 public:
  explicit DeepLlm(SyntheticLlm& llm) : llm_(llm) {}
  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override {
    double more_ms = 0;
    for (const PassPart& part : parts) {
      const auto& scorer = dynamic_cast<const SyntheticScorer&>(*part.scorer);
      const std::size_t n_left = scorer.n_prefill_tokens();
      const std::size_t n_before = scorer.options().n_prompt_tokens - n_left;
      if (!part.query) {
        more_ms += 0.002 * static_cast<double>(n_before) *
                   static_cast<double>(std::min(n_left, part.max_tokens));
      }
    }
    auto results = llm_.encode_parts(parts, give_up_at);
    llm_.pass(more_ms);
    if (results && parts.size() == 1) {
      if (auto* prefill = std::get_if<Prefill>(&results->front())) prefill->ms += more_ms;
    }
    return results;
  }

 private:
  SyntheticLlm& llm_;
};

TEST_F(LimitedBatch, LaterPiecesOfAPromptAreSmallerAndSayNothingOfOtherPrompts) {
  DeepLlm deep(llm_);
  BatchRun batch(deep, &costs_, [this] { return llm_.now(); });
  batch.limit_passes(std::chrono::milliseconds(200));
  batch.add(1, *Decoding::create(20, kRsd), std::make_unique<SyntheticScorer>(kLong));
  for (int steps = 0; steps < 60; ++steps) {
    const auto start = llm_.now();
    batch.step();
    EXPECT_LT(ms_between(start, llm_.now()), 700) << steps;  // 32 tokens at the most
  }
  EXPECT_LT(*costs_.prefill_ms(100), 120);
  batch.add(2, *Decoding::create(2, kRsd), std::make_unique<SyntheticScorer>(kShort),
            {.deadline = llm_.now() + duration_of(500)});
  std::vector<BatchRun::Finished> finished;
  while (finished.empty())
    finished = batch.step();
  EXPECT_FALSE(finished.front().outcome->deadline_hit);
}

TEST_F(LimitedBatch, WhereNothingIsKnownOfTheCostsPiecesAreSmallAllTheSame) {
  BatchRun batch(llm_, nullptr, [this] { return llm_.now(); });
  batch.limit_passes(std::chrono::milliseconds(200));
  batch.add(1, *Decoding::create(20, kRsd), std::make_unique<SyntheticScorer>(kLong));
  batch.step();
  EXPECT_EQ(llm_.now(), Clock::time_point() + duration_of(256));
}

TEST_F(Batch, EveryDeadlineHolds) {
  for (std::size_t round = 0; round < 5; ++round) {
    for (std::size_t n = 1; n <= 4; ++n)
      add(10 * round + n, {.n_items = 20}, 120.0 * static_cast<double>(n));
    run();
  }
  for (const auto& [ticket, outcome] : outcomes_) {
    EXPECT_LE(outcome.timing.total_ms, 120.0 * static_cast<double>(ticket % 10)) << ticket;
    EXPECT_EQ(outcome.ranking.size(), 20U);
  }
}

}  // namespace
}  // namespace rsd
