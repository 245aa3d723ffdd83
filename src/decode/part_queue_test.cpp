// BatchRun on an LLM whose parts don't wait for each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "rsd/core/check.h"
#include "rsd/decode/batch_run.h"
#include "rsd/decode/policies.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

using testing::ElementsAre;

Clock::duration duration_of(double ms) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(ms));
}

// The first encoding carries the prompt.
class WithoutPrefill final : public SyntheticScorer {
 public:
  using SyntheticScorer::SyntheticScorer;
  bool has_own_prefill() const noexcept override { return false; }
  Result<Encoding> encode(const EncodingQuery& query) override {
    auto encoding = SyntheticScorer::encode(query);
    if (encoding && encoding->ms == 0)
      encoding->ms = options().ms_per_encoding;  // the prompt's row
    return encoding;
  }
};

// Each part takes what its scorer claims, from its start on. Time passes while it is waited for.
class SideBySideLlm final : public BatchScorer, public PartQueue {
 public:
  PartQueue* queue() noexcept override { return this; }
  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> /*parts*/,
      std::optional<Clock::time_point> /*give_up_at*/) override {
    return Error(ErrorCode::kRuntime, "nobody is to make a pass");
  }

  Ticket start(const PassPart& part) override {
    RSD_CHECK(part.query.has_value(), "these scorers have no prefill of their own");
    auto encoding = part.scorer->encode(*part.query);
    const double ms = encoding ? encoding->ms : 1;
    under_way_.push_back(
        {.ticket = next_,
         .end = now_ + duration_of(ms),
         .result = encoding ? Result<PartResult>(*std::move(encoding)) : encoding.error()});
    return next_++;
  }
  void cancel(Ticket ticket) override {
    n_cancelled_ += std::erase_if(under_way_, [&](const auto& u) { return u.ticket == ticket; });
  }
  std::vector<Ended> wait(Clock::time_point until) override {
    const auto first = std::ranges::min_element(under_way_, {}, &UnderWay::end);
    if (first == under_way_.end() || first->end > until) {
      now_ = until;
      return {};
    }
    now_ = std::max(now_, first->end);
    std::vector<Ended> ended{{.ticket = first->ticket, .result = std::move(first->result)}};
    under_way_.erase(first);
    return ended;
  }

  Clock::time_point now() const { return now_; }
  std::size_t n_under_way() const { return under_way_.size(); }
  std::size_t n_cancelled() const { return n_cancelled_; }

 private:
  struct UnderWay {
    Ticket ticket = 0;
    Clock::time_point end;
    Result<PartResult> result;
  };
  std::vector<UnderWay> under_way_;
  Clock::time_point now_{};
  Ticket next_ = 1;
  std::size_t n_cancelled_ = 0;
};

const DecodingOptions kRsd{.decoder = DecoderKind::kRsd, .budget = 4, .policy = blend_policy()};

class SideBySide : public testing::Test {
 protected:
  void add(std::size_t ticket, SyntheticOptions options,
           std::optional<double> deadline_ms = std::nullopt) {
    options.seed = ticket;
    std::optional<Clock::time_point> deadline;
    if (deadline_ms) deadline = llm_.now() + duration_of(*deadline_ms);
    auto scorer = std::make_unique<WithoutPrefill>(options);
    auto decoding = *Decoding::create(scorer->n_items(), kRsd);
    batch_.add(ticket, std::move(decoding), std::move(scorer), {.deadline = deadline});
  }
  void run() {
    for (int steps = 0; batch_.size() > 0; ++steps) {
      ASSERT_LT(steps, 10'000);
      for (auto& finished : batch_.step()) {
        order_.push_back(finished.ticket);
        if (finished.outcome) outcomes_[finished.ticket] = *std::move(finished.outcome);
      }
    }
  }

  SideBySideLlm llm_;
  CostModel costs_;
  BatchRun batch_{llm_, &costs_, [this] { return llm_.now(); }};
  std::vector<std::size_t> order_;
  std::map<std::size_t, Outcome> outcomes_;
};

TEST_F(SideBySide, AnswersEachRequestAsIfItWereAlone) {
  for (std::size_t ticket = 1; ticket <= 6; ++ticket)
    add(ticket, {.n_items = 1 + 3 * ticket});
  run();
  ASSERT_EQ(outcomes_.size(), 6U);
  for (const auto& [ticket, outcome] : outcomes_) {
    SyntheticScorer scorer({.seed = ticket, .n_items = 1 + 3 * ticket});
    auto decoding = *Decoding::create(scorer.n_items(), kRsd);
    const Outcome alone = *rsd::run(decoding, scorer);
    EXPECT_EQ(outcome.ranking, alone.ranking) << ticket;
    EXPECT_EQ(outcome.encodings, alone.encodings);
    EXPECT_EQ(outcome.verified_prefix, alone.verified_prefix);
    EXPECT_EQ(outcome.prompt_tokens, alone.prompt_tokens);
  }
}

TEST_F(SideBySide, ASlowRequestHoldsUpNoOther) {
  add(1, {.n_items = 20, .ms_per_encoding = 1000});
  add(2, {.n_items = 20, .ms_per_encoding = 5});
  run();
  EXPECT_THAT(order_, ElementsAre(2, 1));
  EXPECT_LT(outcomes_.at(2).timing.total_ms, 1000);
}

TEST_F(SideBySide, WaitsNeitherForOthersNorForThePrompt) {
  add(1, {.n_items = 20});
  add(2, {.n_items = 20});
  run();
  for (const auto& [ticket, outcome] : outcomes_) {
    EXPECT_EQ(outcome.timing.prefill_ms, 0);
    EXPECT_NEAR(outcome.timing.decode_ms, outcome.timing.total_ms, 1e-6);
  }
}

TEST_F(SideBySide, ADeadlineEndsItsOwnPartOnly) {
  add(1, {.n_items = 20, .ms_per_encoding = 300}, 500);
  add(2, {.n_items = 20, .ms_per_encoding = 300});
  run();
  EXPECT_THAT(order_, ElementsAre(1, 2));
  EXPECT_TRUE(outcomes_.at(1).deadline_hit);
  EXPECT_LE(outcomes_.at(1).timing.total_ms, 500);
  EXPECT_EQ(outcomes_.at(1).ranking.size(), 20U);
  EXPECT_FALSE(outcomes_.at(2).deadline_hit);
  EXPECT_LE(llm_.n_cancelled(), 1U);
  EXPECT_EQ(llm_.n_under_way(), 0U);
}

TEST_F(SideBySide, WithoutARowInTimeTheAnswerIsTheInputOrder) {
  add(1, {.n_items = 5, .ms_per_encoding = 300}, 100);
  run();
  EXPECT_TRUE(outcomes_.at(1).deadline_hit);
  EXPECT_EQ(outcomes_.at(1).ranking, Ranking::identity(5));
  EXPECT_EQ(outcomes_.at(1).encodings, 0U);
  EXPECT_EQ(llm_.n_cancelled(), 1U);
}

TEST_F(SideBySide, AnEstimateKeepsNoFirstQuestionBack) {
  costs_.observe_prefill(100, 10'000);
  add(1, {.n_items = 5, .ms_per_encoding = 50}, 500);
  run();
  EXPECT_GE(outcomes_.at(1).encodings, 1U);
}

TEST_F(SideBySide, ThoseWithThePromptAreLearnedApartAndOneByOne) {
  for (std::size_t ticket = 1; ticket <= 8; ++ticket)
    add(ticket, {.n_items = 20, .ms_per_encoding = 50, .ms_per_token = 0});
  run();
  ASSERT_TRUE(costs_.encoding_ms(10));
  EXPECT_NEAR(*costs_.encoding_ms(10), 50, 1);  // not eight times as much
  ASSERT_TRUE(costs_.prefill_ms(100));
}

TEST_F(SideBySide, OthersCanComeInWhileAPartTakesLong) {
  add(1, {.n_items = 20, .ms_per_encoding = 100'000});
  EXPECT_TRUE(batch_.step().empty());
  EXPECT_LT(llm_.now().time_since_epoch(), duration_of(1000));
  add(2, {.n_items = 20});
  batch_.step();
  EXPECT_GE(llm_.n_under_way(), 1U);
}

TEST_F(SideBySide, WhoIsCancelledIsNotWaitedForAnyMore) {
  add(1, {.n_items = 20, .ms_per_encoding = 100'000});
  batch_.step();
  EXPECT_TRUE(batch_.cancel(1));
  EXPECT_EQ(llm_.n_under_way(), 0U);
  EXPECT_EQ(batch_.size(), 0U);
}

TEST_F(SideBySide, OneRequestsFailureIsItsOwn) {
  add(1, {.n_items = 20, .failing_encoding = 1});
  add(2, {.n_items = 20});
  run();
  EXPECT_FALSE(outcomes_.contains(1));
  EXPECT_TRUE(outcomes_.contains(2));
}

TEST(SideBySideEnd, PartsUnderWayEndWithTheRun) {
  SideBySideLlm llm;
  {
    BatchRun batch(llm, nullptr, [&llm] { return llm.now(); });
    auto scorer = std::make_unique<WithoutPrefill>(SyntheticOptions{.ms_per_encoding = 100'000});
    batch.add(1, *Decoding::create(10, kRsd), std::move(scorer));
    batch.step();
    EXPECT_EQ(llm.n_under_way(), 1U);
  }
  EXPECT_EQ(llm.n_under_way(), 0U);
}

}  // namespace
}  // namespace rsd
