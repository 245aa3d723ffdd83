// Deadlines also count the policy's time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "rsd/decode/batch_run.h"
#include "rsd/decode/learn_policy.h"
#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "support/synthetic_llm.h"
#include "support/test_clock.h"

namespace rsd {
namespace {

using testing::ElementsAre;

// The items backwards, whatever the LLM says: no row's order.
class BackwardsPolicy final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "backwards"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    std::vector<double> scores(history.n_items());
    std::iota(scores.begin(), scores.end(), 0.0);
    return scores;
  }
};

// A prompt of 100 ms, encodings of 5 ms and 2 ms a token, a policy of 40 ms.
class SlowPolicies : public testing::Test {
 protected:
  static constexpr std::size_t kItems = 16;

  void know_costs() {
    costs_.observe_prefill(100, 100);
    for (const std::size_t n : {1U, 8U, 15U})
      costs_.observe_encoding(n, 5 + 2 * static_cast<double>(n));
    costs_.observe_policy("slow", kItems, 1, 40);
    costs_.observe_policy("slow", kItems, 3, 40);
  }
  Outcome run_within(std::optional<double> deadline_ms,
                     DecodingOptions options = {.decoder = DecoderKind::kRsd, .budget = 8}) {
    options.policy = policy_;
    decoding_.emplace(*Decoding::create(kItems, options));
    ClockedScorer scorer(clock_, {.n_items = kItems});
    std::optional<Clock::time_point> deadline;
    if (deadline_ms) deadline = clock_.now() + duration_of_ms(*deadline_ms);
    return *run(*decoding_, scorer,
                {.deadline = deadline, .costs = &costs_, .now = [this] { return clock_.now(); }});
  }

  TestClock clock_;
  CostModel costs_;
  std::shared_ptr<const SlowPolicy> policy_ = std::make_shared<SlowPolicy>(
      std::make_shared<BackwardsPolicy>(), [this](double ms) { clock_.pass(ms); },
      [](std::size_t, std::size_t) { return 40.0; });
  std::optional<Decoding> decoding_;
};

TEST_F(SlowPolicies, AreBilled) {
  const Outcome outcome = run_within(std::nullopt, {.decoder = DecoderKind::kRsd, .budget = 3});
  EXPECT_EQ(outcome.timing.agent_ms, 3 * 40);  // two proposals and the answer
  EXPECT_DOUBLE_EQ(outcome.timing.total_ms,
                   outcome.timing.prefill_ms + outcome.timing.decode_ms + outcome.timing.agent_ms);
}

TEST_F(SlowPolicies, AreTimedForLaterRequests) {
  run_within(std::nullopt, {.decoder = DecoderKind::kRsd, .budget = 3});
  EXPECT_NEAR(*costs_.policy_ms("slow", kItems, 1), 40, 3);
  EXPECT_NEAR(*costs_.policy_ms("slow", kItems, 3), 40, 3);
}

TEST_F(SlowPolicies, GetTheNumberOfEncodingsLeft) {
  run_within(std::nullopt, {.decoder = DecoderKind::kRsd, .budget = 3});
  using Call = SlowPolicy::Call;
  EXPECT_THAT(policy_->calls(), ElementsAre(Call{1, 2}, Call{2, 1}, Call{3, 0}));
}

TEST_F(SlowPolicies, GetNoNumberOfEncodingsLeftWithoutABudget) {
  run_within(std::nullopt, {.decoder = DecoderKind::kExact, .top_n = 3});
  ASSERT_GE(policy_->calls().size(), 2U);
  EXPECT_EQ(policy_->calls().front().encodings_left, std::nullopt);
  EXPECT_EQ(policy_->calls().back().encodings_left, 0U) << "the answer";
}

TEST_F(SlowPolicies, AreNotAskedForAProposalThatThereIsNoTimeToEncode) {
  know_costs();
  const Outcome outcome = run_within(143);  // 40 ms for a proposal, and 3 for an encoding
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.encodings, 1U);
  // There is time for the answer.
  EXPECT_THAT(policy_->calls(), ElementsAre(SlowPolicy::Call{1, 0}));
  EXPECT_EQ(outcome.timing.total_ms, 140);
  EXPECT_EQ(outcome.refused, CostModel::Kind::kPolicy) << "the greater part of what didn't fit";
}

TEST_F(SlowPolicies, AreNotAskedAtAllWhereThereIsNoTimeForAnything) {
  know_costs();
  const Outcome outcome = run_within(110);
  EXPECT_TRUE(policy_->calls().empty());
  EXPECT_TRUE(outcome.deadline_hit);
  EXPECT_EQ(outcome.timing.total_ms, 100);
  EXPECT_EQ(outcome.verified_prefix, 1U);
  const auto first_row = decoding_->history().rounds().front().logits.row(0);
  EXPECT_EQ(outcome.ranking,
            Ranking::with_prefix(decoding_->history().known(),
                                 std::vector<double>(first_row.begin(), first_row.end())));
}

TEST_F(SlowPolicies, LeaveTheLastProposalsOrderWhereThereIsNoTimeForAnother) {
  know_costs();
  // 100 for the prompt, 40 for a proposal, 35 for its encoding.
  const Outcome outcome = run_within(190, {.decoder = DecoderKind::kRsd, .budget = 2});
  EXPECT_EQ(policy_->calls().size(), 1U);
  EXPECT_TRUE(outcome.deadline_hit) << "the policy would have given another order";
  EXPECT_EQ(outcome.refused, CostModel::Kind::kPolicy);
  EXPECT_EQ(outcome.encodings, 2U);
  EXPECT_EQ(outcome.timing.total_ms, 175);
  const History& history = decoding_->history();
  const auto& proposal = history.rounds().back().proposal;
  std::vector<ItemId> expected(history.known().begin(), history.known().end());
  for (const ItemId item : proposal)
    if (!history.placed()[item.slot()]) expected.push_back(item);
  EXPECT_NE(expected, proposal);
  EXPECT_EQ(outcome.ranking, *Ranking::create(expected));
}

TEST_F(SlowPolicies, ProposalThatCouldNotBeEncodedIsTheAnswer) {
  costs_.observe_prefill(100, 100);
  const Outcome outcome = run_within(160);  // no encoding was observed yet: one is aborted
  EXPECT_EQ(outcome.encodings, 1U);
  EXPECT_EQ(outcome.timing.total_ms, 160);
  ASSERT_EQ(policy_->calls().size(), 1U) << "it has said all that it knows";
  const History& history = decoding_->history();
  EXPECT_EQ(outcome.ranking,
            Ranking::with_prefix(history.known(), *BackwardsPolicy().score(history, 1)));
}

TEST_F(SlowPolicies, InputOrderThatWasEncodedIsNoAnswer) {
  know_costs();
  const Outcome outcome =
      run_within(140, {.decoder = DecoderKind::kRsd, .budget = 1, .draft = Draft::kInput});
  EXPECT_EQ(outcome.encodings, 1U);
  EXPECT_TRUE(policy_->calls().empty());
  const auto first_row = decoding_->history().rounds().front().logits.row(0);
  EXPECT_EQ(outcome.ranking,
            Ranking::with_prefix(decoding_->history().known(),
                                 std::vector<double>(first_row.begin(), first_row.end())));
}

TEST_F(SlowPolicies, EarlierAnswerThatWasEncodedIsBetterThanTheFirstRow) {
  know_costs();
  std::vector<ItemId> backwards;
  for (std::size_t i = kItems; i-- > 0;)
    backwards.emplace_back(i);
  const Outcome outcome = run_within(
      140,
      {.decoder = DecoderKind::kRsd, .budget = 1, .first_proposal = *Ranking::create(backwards)});
  const auto known = decoding_->history().known();
  const auto rest = outcome.ranking.items().subspan(known.size());
  EXPECT_TRUE(std::ranges::is_sorted(rest, std::ranges::greater(), &ItemId::value));
}

TEST_F(SlowPolicies, ThatAreDoubtedAreTriedAgain) {
  costs_.observe_prefill(100, 100);
  costs_.observe_policy("slow", kItems, 1, 4000);  // the machine was busy, once
  costs_.observe_policy("slow", kItems, 2, 4000);
  int refused = 0;
  while (refused < 10'000 && run_within(3900).encodings < 2)
    ++refused;
  EXPECT_GT(refused, 20) << "seldom: a policy can't be given up";
  EXPECT_LT(refused, 100);
}

// Encodings are thought to take ten times what they do.
TEST_F(SlowPolicies, EncodingsThatAreDoubtedAreTriedAgain) {
  costs_.observe_prefill(100, 100);
  for (const std::size_t n : {1U, 8U, 15U})
    costs_.observe_encoding(n, 10 * (5 + 2 * static_cast<double>(n)));
  int refused = 0;
  while (refused < 100 && run_within(250).encodings < 2)
    ++refused;
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 25);
}

TEST_F(SlowPolicies, RequestThatComesTooLateSaysNothingAgainstTheEstimates) {
  know_costs();
  for (int late = 0; late < 20; ++late) {
    EXPECT_EQ(run_within(-1).refused, std::nullopt);
    EXPECT_EQ(run_within(0).refused, std::nullopt);
  }
  for (const auto kind :
       {CostModel::Kind::kPrefill, CostModel::Kind::kEncoding, CostModel::Kind::kPolicy})
    EXPECT_EQ(costs_.trust(kind), 1.0);
}

TEST_F(SlowPolicies, RefusalOfThePromptIsReported) {
  know_costs();
  EXPECT_EQ(run_within(50).refused, CostModel::Kind::kPrefill);
  EXPECT_NEAR(costs_.trust(CostModel::Kind::kPrefill), 0.9, 1e-12);
  EXPECT_EQ(costs_.prefill_ms(100), 100.0);
}

// Impossible deadlines: each twentieth or so is tried, and none makes the others' any less right.
TEST_F(SlowPolicies, EstimatesStandWhateverManyImpossibleDeadlinesSay) {
  know_costs();
  std::size_t n_tried = 0;
  for (int request = 0; request < 200; ++request) {
    const auto before = clock_.now();
    run_within(10);
    n_tried += clock_.now() > before ? 1 : 0;
  }
  EXPECT_GT(n_tried, 0U);
  EXPECT_LT(n_tried, 12U);
  EXPECT_NEAR(*costs_.prefill_ms(100), 100, 1e-9);
}

// An LLM that wants the input order backwards, at little cost.
class Backwards final : public ClockedScorer {
 public:
  using ClockedScorer::ClockedScorer;
  float logit(std::span<const ItemId> prefix, ItemId item) const override {
    return static_cast<float>((item.slot() + 7 * prefix.size()) % n_items());
  }
};

// 454 candidates, as a long list of ours has; a policy of 700 ms and more, as a cubic one takes.
TEST(Deadline, HoldsWithAPolicyThatTakesMostOfIt) {
  constexpr std::size_t kItems = 454;
  TestClock clock;
  CostModel costs;
  const auto policy = std::make_shared<SlowPolicy>(
      mean_log_prob_policy(), [&](double ms) { clock.pass(ms); },
      [](std::size_t n_items, std::size_t n_rounds) {
        const double size = static_cast<double>(n_items) / 454;
        return 700 * size * size * size * (1 + 0.1 * static_cast<double>(n_rounds));
      });
  const std::function<Clock::time_point()> now = [&] { return clock.now(); };
  learn_policy(*policy, costs, now);
  std::vector<double> overshoot;
  std::size_t n_encodings = 0;
  for (int request = 0; request < 60; ++request) {
    Backwards scorer(clock, {.n_items = kItems, .n_prompt_tokens = 500});
    auto decoding = *Decoding::create(
        kItems, {.decoder = request % 2 == 0 ? DecoderKind::kRsd : DecoderKind::kExact,
                 .budget = 4,
                 .policy = policy});
    const double deadline_ms = 400 + 37 * request;
    const auto outcome =
        *run(decoding, scorer,
             {.deadline = clock.now() + duration_of_ms(deadline_ms), .costs = &costs, .now = now});
    overshoot.push_back(outcome.timing.total_ms / deadline_ms - 1);
    n_encodings += outcome.encodings;
  }
  EXPECT_LT(*std::ranges::max_element(overshoot), 0.1);
  EXPECT_GT(n_encodings, 70U) << "the time is used";
}

TEST(LearnPolicy, TimesTheSizesThatListsHave) {
  TestClock clock;
  CostModel costs;
  const SlowPolicy policy(
      replay_policy(), [&](double ms) { clock.pass(ms); },
      [](std::size_t n_items, std::size_t n_rounds) {
        return static_cast<double>(n_items * n_rounds);
      });
  learn_policy(policy, costs, [&] { return clock.now(); });
  EXPECT_NEAR(*costs.policy_ms("slow", 20, 1), 20, 2);
  EXPECT_NEAR(*costs.policy_ms("slow", 100, 3), 300, 30);
  EXPECT_NEAR(*costs.policy_ms("slow", 256, 3), 768, 77);
}

TEST(LearnPolicy, OfAPolicyThatFailsNothingIsLearned) {
  struct Failing final : RankingPolicy {
    std::string_view name() const noexcept override { return "failing"; }
    Result<std::vector<double>> score(const History&, std::optional<std::size_t>) const override {
      return Error(ErrorCode::kRuntime, "no");
    }
  };
  CostModel costs;
  learn_policy(Failing(), costs);
  EXPECT_EQ(costs.policy_ms("failing", 20, 1), std::nullopt);
}

// Requests that share an LLM, and one thread for their policies.
class SlowPoliciesTogether : public testing::Test {
 protected:
  static constexpr std::size_t kItems = 20;

  void add(std::size_t ticket, double policy_ms, std::optional<double> deadline_ms,
           std::size_t budget = 4) {
    policies_.push_back(std::make_shared<SlowPolicy>(
        mean_log_prob_policy(), [this](double ms) { llm_.pass(ms); },
        [policy_ms](std::size_t, std::size_t) { return policy_ms; }, std::to_string(policy_ms)));
    std::optional<Clock::time_point> deadline;
    if (deadline_ms) deadline = llm_.now() + duration_of_ms(*deadline_ms);
    batch_.add(
        ticket,
        *Decoding::create(kItems, {.decoder = DecoderKind::kRsd,
                                   .budget = budget,
                                   .draft = Draft::kFirstToken,
                                   .policy = policies_.back()}),
        std::make_unique<SyntheticScorer>(SyntheticOptions{.seed = ticket, .n_items = kItems}),
        {.deadline = deadline});
  }
  std::vector<std::size_t> step() {
    std::vector<std::size_t> tickets;
    for (auto& finished : batch_.step()) {
      tickets.push_back(finished.ticket);
      outcomes_[finished.ticket] = *std::move(finished.outcome);
    }
    return tickets;
  }

  SyntheticLlm llm_;
  CostModel costs_;
  BatchRun batch_{llm_, &costs_, [this] { return llm_.now(); }};
  std::vector<std::shared_ptr<const SlowPolicy>> policies_;
  std::map<std::size_t, Outcome> outcomes_;
};

TEST_F(SlowPoliciesTogether, WhoHasEndedDoesNotWaitForTheOthersPolicies) {
  add(1, 0, 10'000, 1);  // ends with its prompt
  add(2, 5000, std::nullopt);
  EXPECT_THAT(step(), ElementsAre(1));
  EXPECT_LT(outcomes_.at(1).timing.total_ms, 1000);
  EXPECT_TRUE(policies_[1]->calls().empty());
}

TEST_F(SlowPoliciesTogether, DeadlineDoesNotWaitForPoliciesThatTakeLonger) {
  for (const std::size_t n_rounds : {1U, 2U, 3U})
    costs_.observe_policy(std::to_string(500.0), kItems, n_rounds, 500);
  add(1, 0, 600);
  add(2, 500, std::nullopt);
  while (batch_.size() > 0)
    step();
  EXPECT_LE(outcomes_.at(1).timing.total_ms, 600);
  EXPECT_EQ(outcomes_.at(1).encodings, 4U);
  EXPECT_EQ(outcomes_.at(2).encodings, 4U) << "its turn comes";
}

TEST_F(SlowPoliciesTogether, AnswersForWhoIsLeftOutTakeNoPolicysTime) {
  costs_.observe_prefill(100, 100);
  costs_.observe_encoding(19, 20);
  std::size_t n_reported = 0;
  batch_.on_left_out([&](std::size_t ticket, const Outcome& so_far) {
    ++n_reported;
    EXPECT_EQ(ticket, 1U);
    EXPECT_EQ(so_far.ranking.size(), kItems);
  });
  add(1, 30, 1000);
  step();
  const auto asked = policies_.front()->calls().size();
  add(2, 0, 105);  // its prompt and the other's encoding don't fit together
  step();
  EXPECT_EQ(n_reported, 1U);
  EXPECT_EQ(policies_.front()->calls().size(), asked);
}

}  // namespace
}  // namespace rsd
