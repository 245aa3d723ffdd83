#include "rsd/window/list_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>

#include "rsd/decode/policies.h"
#include "support/synthetic_llm.h"
#include "support/synthetic_scorer.h"

namespace rsd {
namespace {

using testing::HasSubstr;

// A prompt's identifiers are the items' numbers, by which its scorer finds their relevance: item 0
// is the best.
class OpeningLlm final : public LlmEngine {
 public:
  explicit OpeningLlm(double pair_noise) : pair_noise_(pair_noise) {}

  std::string model_name() const override { return "synthetic"; }
  std::size_t context_size() const noexcept override { return kDefaultMaxContext; }
  std::shared_ptr<const Tokenizer> tokenizer() const noexcept override { return nullptr; }
  PromptReuse prompt_reuse() const noexcept override { return {}; }
  void reserve_places(std::size_t /*n_places*/) override {}
  bool has_room(const Prompt& prompt) const noexcept override {
    return has_room_ && prompt.identifiers.size() <= room_for_items_;
  }
  Result<std::unique_ptr<PositionScorer>> open(Prompt prompt) override {
    if (failing_ == n_opened_++) return Error(ErrorCode::kRuntime, "no scorer");
    SyntheticOptions options{.pair_noise = pair_noise_, .position_noise = 0};
    for (const IdentifierToken item : prompt.identifiers)
      options.relevance.push_back(-item.value());
    return std::unique_ptr<PositionScorer>(std::make_unique<SyntheticScorer>(std::move(options)));
  }
  Result<std::vector<PartResult>> encode_parts(
      std::span<const PassPart> parts, std::optional<Clock::time_point> give_up_at) override {
    return passes_.encode_parts(parts, give_up_at);
  }

  SyntheticLlm& passes() { return passes_; }
  std::size_t n_opened() const { return n_opened_; }
  void fail_opening_at(std::size_t number) { failing_ = number; }
  void set_room(bool has_room) { has_room_ = has_room; }
  // Prompts of more have none.
  void set_room_for_items(std::size_t n_items) { room_for_items_ = n_items; }

 private:
  double pair_noise_;
  SyntheticLlm passes_;
  std::optional<std::size_t> failing_;
  std::size_t n_opened_ = 0;
  bool has_room_ = true;
  std::size_t room_for_items_ = 1000;
};

// Lists on a synthetic LLM.
class Lists {
 public:
  explicit Lists(std::size_t parallel, double pair_noise = 0, CostModel* costs = nullptr,
                 std::size_t reserved = 0)
      : engine_(pair_noise),
        batch_(engine_, {.for_all = parallel, .for_short = reserved}, costs,
               [this] { return llm().now(); }) {}

  void add(std::size_t ticket, std::size_t n_items, ListOptions options) {
    std::vector<ItemId> backwards;
    for (std::size_t i = n_items; i-- > 0;)
      backwards.emplace_back(i);
    auto run = ListRun::create(*Ranking::create(backwards), std::move(options), llm().now());
    batch_.add(ticket, {.run = *std::move(run),
                        .prompt = [this](std::span<const ItemId> items) { return prompt(items); },
                        .arrival = std::nullopt});
  }

  std::map<std::size_t, ListBatch::Finished> run_all() {
    std::map<std::size_t, ListBatch::Finished> all;
    for (int steps = 0; batch_.size() > 0 && steps < 10'000; ++steps) {
      for (auto& finished : batch_.step()) {
        const std::size_t ticket = finished.ticket;
        all.emplace(ticket, std::move(finished));
      }
    }
    EXPECT_EQ(batch_.size(), 0U);
    return all;
  }

  ListBatch& batch() { return batch_; }
  std::size_t n_prompts() const { return n_prompts_; }
  std::size_t n_opened() const { return engine_.n_opened(); }
  // Building a prompt takes that.
  void set_prompt_ms(double ms) { prompt_ms_ = ms; }
  // The first prompt, from which a list takes its estimate, has this many tokens; others have 100.
  void set_sample_tokens(std::size_t n_tokens) { sample_tokens_ = n_tokens; }
  SyntheticLlm& llm() { return engine_.passes(); }
  void fail_opening_at(std::size_t number) { engine_.fail_opening_at(number); }
  void set_room(bool has_room) { engine_.set_room(has_room); }
  // Prompts of more have none.
  void set_room_for_items(std::size_t n_items) { engine_.set_room_for_items(n_items); }

 private:
  Result<Prompt> prompt(std::span<const ItemId> items) {
    ++n_prompts_;
    llm().pass(prompt_ms_);
    Prompt prompt{.tokens = std::vector<TokenId>(n_prompts_ == 1 ? sample_tokens_ : 100),
                  .identifiers = {},
                  .truncated_candidates = 1,
                  .text_limit = std::nullopt};
    for (const ItemId item : items)
      prompt.identifiers.emplace_back(item.value());
    return prompt;
  }

  OpeningLlm engine_;
  std::size_t n_prompts_ = 0;
  std::size_t sample_tokens_ = 100;
  double prompt_ms_ = 0;
  ListBatch batch_;
};

ListOptions options_of(DecoderKind decoder, WindowMethod method) {
  return {.windows = {.method = method},
          .decoding = {.decoder = decoder, .budget = 3, .policy = blend_policy()},
          .budget = std::nullopt,
          .deadline = std::nullopt};
}

std::vector<int> first_ten(const Ranking& ranking) {
  std::vector<int> items;
  for (int i = 0; i < 10; ++i)
    items.push_back(ranking.at(Position(i)).value());
  return items;
}

TEST(ListBatch, BringsTheBestOfALongListToTheFrontWhateverTheMethod) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown,
                            WindowMethod::kTournament, WindowMethod::kCalibrated}) {
    SCOPED_TRACE(to_string(method));
    Lists lists(4);
    lists.add(7, 100, options_of(DecoderKind::kRsd, method));
    const auto all = lists.run_all();
    const ListBatch::Finished& list = all.at(7);
    ASSERT_TRUE(list.outcome);
    EXPECT_THAT(first_ten(list.outcome->outcome.ranking),
                testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    EXPECT_EQ(list.windows.size(), list.outcome->n_windows);
    EXPECT_EQ(list.truncated_candidates, list.outcome->n_windows) << "one each";
  }
}

TEST(ListBatch, ACalibratedListTakesOneEncodingAWindowAndIsTheSameWhateverTheDecoder) {
  Lists lists(4, 3.0);
  const std::vector<DecoderKind> decoders{DecoderKind::kAr, DecoderKind::kStd, DecoderKind::kSd,
                                          DecoderKind::kRsd, DecoderKind::kExact};
  for (std::size_t n = 0; n < decoders.size(); ++n)
    lists.add(n, 100, options_of(decoders[n], WindowMethod::kCalibrated));
  const auto all = lists.run_all();
  for (std::size_t n = 0; n < decoders.size(); ++n) {
    SCOPED_TRACE(to_string(decoders[n]));
    const ListOutcome& list = *all.at(n).outcome;
    EXPECT_EQ(list.n_windows, 6U);
    EXPECT_EQ(list.outcome.encodings, 6U);
    EXPECT_EQ(list.outcome.verified_prefix, 100U);
    EXPECT_EQ(list.outcome.ranking, all.at(0).outcome->outcome.ranking);
  }
}

TEST(ListBatch, WindowsHaveTheNumbersOfThePlanWhicheverEndsFirst) {
  for (const auto method : {WindowMethod::kTournament, WindowMethod::kCalibrated}) {
    SCOPED_TRACE(to_string(method));
    std::vector<std::map<std::size_t, std::vector<ItemId>>> seen;
    for (const std::size_t parallel : {1, 4}) {
      Lists lists(parallel, 3.0);
      lists.add(0, 100, options_of(DecoderKind::kExact, method));
      auto& items = seen.emplace_back();
      const auto all = lists.run_all();
      for (const ListBatch::Decoded& window : all.at(0).windows)
        EXPECT_TRUE(items.emplace(window.number, window.items).second) << window.number;
      EXPECT_EQ(items.begin()->first, 0U);
      EXPECT_EQ(items.rbegin()->first, items.size() - 1);
    }
    EXPECT_EQ(seen[0], seen[1]);
  }
}

TEST(ListBatch, WhatIsVerifiedIsWhatWritingOutGives) {
  for (const auto method :
       {WindowMethod::kSliding, WindowMethod::kTopDown, WindowMethod::kTournament}) {
    SCOPED_TRACE(to_string(method));
    Lists lists(2, 3.0);
    lists.add(0, 60, options_of(DecoderKind::kAr, method));
    lists.add(1, 60, options_of(DecoderKind::kExact, method));
    const auto all = lists.run_all();
    const Outcome& written_out = all.at(0).outcome->outcome;
    const Outcome& exact = all.at(1).outcome->outcome;
    EXPECT_GE(exact.verified_prefix, 10U);
    for (std::size_t i = 0; i < exact.verified_prefix; ++i)
      EXPECT_EQ(exact.ranking.at(Position(i)), written_out.ranking.at(Position(i)));
    EXPECT_LT(exact.encodings, written_out.encodings);
  }
}

TEST(ListBatch, IndependentWindowsGoThroughTheLlmTogether) {
  Lists lists(8);
  lists.add(0, 100, options_of(DecoderKind::kStd, WindowMethod::kTopDown));
  lists.run_all();
  std::vector<std::size_t> together;
  for (const auto& pass : lists.llm().passes())
    together.push_back(pass.size());
  // The list is reversed: all items after the first window beat its pivot.
  EXPECT_EQ(together.front(), 1U);
  EXPECT_EQ(together[1], 5U);
}

TEST(ListBatch, NoMoreWindowsAreUnderWayThanIsAllowed) {
  Lists lists(3);
  for (std::size_t ticket = 0; ticket < 5; ++ticket)
    lists.add(ticket, 50, options_of(DecoderKind::kRsd, WindowMethod::kTopDown));
  EXPECT_EQ(lists.run_all().size(), 5U);
  for (const auto& pass : lists.llm().passes())
    EXPECT_LE(pass.size(), 3U);
}

TEST(ListBatch, WhatHasNoRoomWaitsAndIsRankedAllTheSame) {
  Lists lists(4);
  lists.set_room(false);
  for (std::size_t ticket = 0; ticket < 3; ++ticket)
    lists.add(ticket, 30, options_of(DecoderKind::kRsd, WindowMethod::kSliding));
  EXPECT_EQ(lists.run_all().size(), 3U);
  for (const auto& pass : lists.llm().passes())
    EXPECT_EQ(pass.size(), 1U);
}

TEST(ListBatch, AWindowThatFailsIsTheEndOfItsListOnly) {
  Lists lists(2);
  lists.fail_opening_at(2);
  lists.add(0, 50, options_of(DecoderKind::kRsd, WindowMethod::kSliding));
  lists.add(1, 50, options_of(DecoderKind::kRsd, WindowMethod::kSliding));
  const auto all = lists.run_all();
  const auto n_failed = static_cast<int>(!all.at(0).outcome) + static_cast<int>(!all.at(1).outcome);
  EXPECT_EQ(n_failed, 1);
  for (const auto& [ticket, list] : all) {
    if (list.outcome) continue;
    EXPECT_THAT(list.outcome.error().message(), HasSubstr("no scorer"));
  }
}

TEST(ListBatch, AListThatIsCancelledIsGone) {
  Lists lists(2);
  lists.add(0, 50, options_of(DecoderKind::kRsd, WindowMethod::kSliding));
  lists.add(1, 50, options_of(DecoderKind::kRsd, WindowMethod::kSliding));
  lists.batch().step();
  EXPECT_TRUE(lists.batch().cancel(0));
  EXPECT_FALSE(lists.batch().cancel(0));
  const auto all = lists.run_all();
  EXPECT_EQ(all.size(), 1U);
  EXPECT_TRUE(all.contains(1));
}

TEST(ListBatch, AListThatIsNotInThePassIsReportedWithItsOrderSoFar) {
  Lists lists(1);
  ListOptions hurried = options_of(DecoderKind::kRsd, WindowMethod::kSliding);
  hurried.deadline = lists.llm().now() + std::chrono::seconds(100);
  lists.add(0, 50, hurried);
  ListOptions later = hurried;
  later.deadline = lists.llm().now() + std::chrono::seconds(200);
  lists.add(1, 50, later);
  std::vector<std::size_t> reported;
  lists.batch().on_left_out([&](std::size_t ticket, const ListOutcome& so_far) {
    reported.push_back(ticket);
    EXPECT_EQ(so_far.outcome.ranking.size(), 50U);
  });
  lists.batch().step();
  EXPECT_THAT(reported, testing::ElementsAre(1));
}

TEST(ListBatch, ALongListIsAnsweredByItsDeadline) {
  for (const auto method :
       {WindowMethod::kSliding, WindowMethod::kTopDown, WindowMethod::kTournament}) {
    SCOPED_TRACE(to_string(method));
    Lists lists(1);
    ListOptions options = options_of(DecoderKind::kRsd, method);
    options.deadline = lists.llm().now() + std::chrono::milliseconds(500);  // a prefill takes 100
    lists.add(0, 100, options);
    const auto all = lists.run_all();
    const Outcome& outcome = all.at(0).outcome->outcome;
    EXPECT_TRUE(outcome.deadline_hit);
    EXPECT_EQ(outcome.ranking.size(), 100U);
    EXPECT_LE(outcome.timing.total_ms, 500);
    EXPECT_GE(all.at(0).outcome->n_windows, 2U);
  }
}

// A prefill is known to take 100 ms, and is about to take too long for each list.
TEST(ListBatch, AListThatThereIsNoTimeForIsRefusedOnceAndHasNoWindows) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown,
                            WindowMethod::kTournament, WindowMethod::kCalibrated}) {
    SCOPED_TRACE(to_string(method));
    CostModel costs;
    costs.observe_prefill(100, 100);
    Lists lists(1, 0, &costs);
    ListOptions options = options_of(DecoderKind::kRsd, method);
    options.deadline = lists.llm().now() + std::chrono::milliseconds(80);
    lists.add(0, 100, options);
    const auto all = lists.run_all();
    const ListOutcome& list = *all.at(0).outcome;
    EXPECT_EQ(list.n_windows, 0U);
    EXPECT_EQ(list.budget, 0U);
    EXPECT_TRUE(list.outcome.deadline_hit);
    EXPECT_TRUE(all.at(0).windows.empty()) << "nothing was decoded";
    EXPECT_EQ(all.at(0).truncated_candidates, 0U);
    EXPECT_TRUE(lists.llm().passes().empty());
    EXPECT_LE(lists.n_opened(), 6U);
    EXPECT_NEAR(costs.trust(CostModel::Kind::kPrefill), 0.9, 1e-9) << "one refusal";
    EXPECT_EQ(costs.prefill_ms(100), 100.0);
  }
}

// The cost of its windows is unknown: each requests more time than the one before.
TEST(ListBatch, AListWhoseWindowsAreRefusedOneAfterTheOtherIsOneRefusal) {
  CostModel costs;
  costs.observe_prefill(100, 1000);
  Lists lists(1, 0, &costs);
  lists.set_sample_tokens(0);
  ListOptions options = options_of(DecoderKind::kRsd, WindowMethod::kCalibrated);
  options.deadline = lists.llm().now() + std::chrono::milliseconds(300);
  lists.add(0, 100, options);
  EXPECT_EQ(lists.run_all().at(0).outcome->n_windows, 0U);
  EXPECT_GT(lists.n_opened(), 1U);
  EXPECT_LE(lists.n_opened(), 5U);
  EXPECT_NEAR(costs.trust(CostModel::Kind::kPrefill), 0.9, 1e-9);
}

TEST(ListBatch, TheTimeOfPromptsIsPartOfADeadline) {
  for (const double prompt_ms : {0.0, 60.0}) {
    SCOPED_TRACE(prompt_ms);
    CostModel costs;
    costs.observe_prefill(100, 100);
    Lists lists(1, 0, &costs);
    lists.set_prompt_ms(prompt_ms);
    ListOptions options = options_of(DecoderKind::kStd, WindowMethod::kSliding);
    options.deadline = lists.llm().now() + std::chrono::milliseconds(800);
    lists.add(0, 100, options);
    const auto all = lists.run_all();
    const ListOutcome& list = *all.at(0).outcome;
    EXPECT_LE(list.outcome.timing.total_ms, 800);
    EXPECT_TRUE(all.at(0).windows.back().items.front() == ItemId(99)) << "the front was ranked";
    EXPECT_GE(list.n_windows, prompt_ms > 0 ? 3U : 5U);
    EXPECT_FALSE(all.at(0).windows.back().outcome.deadline_hit) << "no window was begun in vain";
  }
}

TEST(ListBatch, WhoIsDueFirstGetsItsWindowsFirst) {
  Lists lists(1);
  ListOptions options = options_of(DecoderKind::kStd, WindowMethod::kSliding);
  options.deadline = lists.llm().now() + std::chrono::seconds(2);
  ListOptions urgent = options;
  urgent.deadline = lists.llm().now() + std::chrono::seconds(1);
  lists.add(0, 20, options);
  lists.add(1, 20, urgent);
  std::vector<std::size_t> order;
  while (lists.batch().size() > 0)
    for (const auto& finished : lists.batch().step())
      order.push_back(finished.ticket);
  EXPECT_THAT(order, testing::ElementsAre(1, 0));
}

// Room for one window at a time: the list that is due first waits for it in front of all others.
TEST(ListBatch, NobodyOvertakesAListWhoseWindowHasNoRoom) {
  Lists lists(3);
  lists.add(0, 50, options_of(DecoderKind::kRsd, WindowMethod::kSliding));
  lists.batch().step();
  lists.set_room(false);
  ListOptions urgent = options_of(DecoderKind::kRsd, WindowMethod::kSliding);
  urgent.deadline = lists.llm().now() + std::chrono::seconds(1);
  lists.add(1, 30, urgent);
  lists.add(2, 30, options_of(DecoderKind::kRsd, WindowMethod::kSliding));
  const std::size_t n_before = lists.n_prompts();
  lists.batch().step();
  EXPECT_EQ(lists.n_opened(), 1U);
  EXPECT_EQ(lists.n_prompts() - n_before, 1U) << "that of the urgent one, which is kept";
}

// ---- Long lists and short ones
// ------------------------------------------------------------------

// Until that list has ended; how long that takes.
double time_of(Lists& lists, std::size_t ticket) {
  const auto start = lists.llm().now();
  for (int steps = 0; steps < 10'000; ++steps)
    for (const auto& finished : lists.batch().step())
      if (finished.ticket == ticket) return ms_between(start, lists.llm().now());
  return INFINITY;
}

ListOptions of_tokens(ListOptions options, std::size_t expected_tokens) {
  options.expected_tokens = expected_tokens;
  return options;
}

TEST(ListBatch, AShortListHasAPlaceBesideLongOnes) {
  for (const std::size_t parallel : {1U, 4U}) {
    CostModel costs;
    costs.observe_prefill(100, 100);
    Lists lists(parallel, 0, &costs, /*reserved=*/1);
    lists.batch().limit_passes(std::chrono::milliseconds(200));
    const auto windows = options_of(DecoderKind::kRsd, WindowMethod::kSliding);
    for (std::size_t ticket = 0; ticket < parallel; ++ticket)
      lists.add(ticket, 500, of_tokens(windows, 500'000));
    lists.batch().step();
    EXPECT_FALSE(lists.batch().has_place());
    for (std::size_t ticket = 10; ticket < 15; ++ticket) {
      ASSERT_TRUE(lists.batch().has_place(Length::kShort));
      lists.add(ticket, 2, of_tokens(windows, 120));
      EXPECT_FALSE(lists.batch().has_place(Length::kShort));
      EXPECT_LE(time_of(lists, ticket), 800);  // its own three passes, and one before them
    }
  }
}

TEST(ListBatch, WindowsOfAListThatHasHadMuchWaitForThoseOfOneThatHasNot) {
  CostModel costs;
  costs.observe_prefill(100, 100);
  Lists lists(2, 0, &costs);
  lists.batch().limit_passes(std::chrono::milliseconds(200));
  const auto windows = options_of(DecoderKind::kRsd, WindowMethod::kTournament);
  lists.add(1, 900, windows);
  for (int steps = 0; steps < 12; ++steps)
    lists.batch().step();
  lists.add(2, 30, windows);  // it came later, and takes a place as soon as one is free
  EXPECT_LT(time_of(lists, 2), 4000);
  EXPECT_EQ(lists.run_all().size(), 1U);
}

TEST(ListBatch, AListWithoutRoomIsNotOvertakenButByReservedPlaces) {
  Lists lists(4, 3.0, nullptr, /*reserved=*/1);
  const auto whole = options_of(DecoderKind::kRsd, WindowMethod::kSliding);
  lists.add(1, 20, of_tokens(whole, 1000));
  lists.batch().step();
  lists.set_room_for_items(2);
  lists.add(2, 20, of_tokens(whole, 1000));
  lists.add(3, 2, of_tokens(whole, 1000));
  lists.add(4, 2, of_tokens(whole, 100));
  lists.add(5, 2, of_tokens(whole, 100));
  lists.batch().step();
  EXPECT_EQ(lists.n_opened(), 2U);  // 1 and 4
  lists.set_room_for_items(20);
  lists.run_all();
  EXPECT_EQ(lists.n_opened(), 5U);
}

}  // namespace
}  // namespace rsd
