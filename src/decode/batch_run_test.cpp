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
  const Timing& timing = outcomes_.at(1).timing;
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
  EXPECT_THAT(failures_.at(4), HasSubstr("as it was told to"));
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

TEST_F(Batch, WhoIsLeftOutOfAPassIsToldWhatItsAnswerWouldBe) {
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

TEST_F(Batch, TheTokensOfThePromptAreTold) {
  add(1, {.n_items = 20});
  run();
  EXPECT_EQ(outcomes_.at(1).prompt_tokens, 100U);
  EXPECT_EQ(outcomes_.at(1).tokens_reused, 0U);
  ASSERT_EQ(outcomes_.at(1).round_ms.size(), outcomes_.at(1).encodings);
  EXPECT_EQ(outcomes_.at(1).round_ms.front(), 100);  // the prompt's
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
