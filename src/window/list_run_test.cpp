#include "rsd/window/list_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "rsd/core/duration.h"
#include "rsd/decode/policies.h"

namespace rsd {
namespace {

using std::chrono::milliseconds;

const Clock::time_point kStart{};

ListOptions rsd_options(WindowMethod method = WindowMethod::kSliding) {
  return {.windows = {.method = method},
          .decoding = {.decoder = DecoderKind::kRsd, .budget = 3, .policy = blend_policy()},
          .budget = std::nullopt,
          .deadline = std::nullopt};
}

ListRun list_of(std::size_t n_items, ListOptions options) {
  return *ListRun::create(Ranking::identity(n_items), std::move(options), kStart);
}

// The outcome of a window with these items and costs.
Outcome outcome_of(const ListRun::WindowJob& job, std::size_t encodings, double prefill_ms = 100) {
  return {.ranking = Ranking::identity(job.items.size()),
          .encodings = encodings,
          .tokens_encoded = 50,
          .prompt_tokens = 40,
          .tokens_reused = 0,
          .verified_prefix = encodings,
          .deadline_hit = false,
          .timing = {.prefill_ms = prefill_ms, .decode_ms = 10, .agent_ms = 1, .total_ms = 111},
          .round_ms = {}};
}

TEST(ListRun, GivesEachWindowTheBudgetOfAWindow) {
  ListRun run = list_of(100, rsd_options());
  std::size_t n = 0;
  while (auto job = run.next(kStart)) {
    EXPECT_EQ(job->decoding.budget, 3U);
    run.absorb(job->number, outcome_of(*job, 3), kStart);
    ++n;
  }
  EXPECT_TRUE(run.finished(kStart));
  EXPECT_EQ(n, 9U);
  const ListOutcome list = run.outcome(kStart + milliseconds(7));
  EXPECT_EQ(list.outcome.encodings, 27U);
  EXPECT_EQ(list.outcome.tokens_encoded, 9U * 50U);
  EXPECT_EQ(list.n_windows, 9U);
  EXPECT_EQ(list.outcome.timing.prefill_ms, 900);
  EXPECT_EQ(list.outcome.timing.total_ms, 7);
  EXPECT_EQ(list.confirmed_prefix, 3U);
  EXPECT_EQ(list.outcome.verified_prefix, 0U) << "3 of the 10 that a window passes on";
}

TEST(ListRun, SharesOneBudgetOutOverTheWindows) {
  ListOptions options = rsd_options();
  options.budget = 25;
  ListRun run = list_of(100, options);
  std::vector<std::size_t> budgets;
  while (auto job = run.next(kStart)) {
    budgets.push_back(*job->decoding.budget);
    run.absorb(job->number, outcome_of(*job, *job->decoding.budget), kStart);
  }
  EXPECT_THAT(budgets, testing::ElementsAre(2, 2, 3, 3, 3, 3, 3, 3, 3));
}

TEST(ListRun, LeavesWhatAWindowDidNotNeedToThoseAfterIt) {
  ListOptions options = rsd_options();
  options.budget = 18;
  ListRun run = list_of(100, options);
  std::size_t spent = 0;
  std::size_t last = 0;
  while (auto job = run.next(kStart)) {
    last = *job->decoding.budget;
    const std::size_t used = spent == 0 ? 1 : last;
    spent += used;
    run.absorb(job->number, outcome_of(*job, used), kStart);
  }
  EXPECT_EQ(spent, 18U);
  EXPECT_EQ(last, 3U);
}

TEST(ListRun, NeverSpendsMoreThanTheBudget) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown,
                            WindowMethod::kTournament, WindowMethod::kCalibrated}) {
    for (std::size_t budget = 1; budget < 40; ++budget) {
      SCOPED_TRACE(testing::Message() << to_string(method) << " " << budget);
      ListOptions options = rsd_options(method);
      options.budget = budget;
      ListRun run = list_of(100, options);
      std::vector<ListRun::WindowJob> ready;
      while (!run.finished(kStart)) {
        while (auto job = run.next(kStart))
          ready.push_back(*job);
        ASSERT_FALSE(ready.empty());
        for (const auto& job : ready) {
          const std::vector<float> row(job.items.size(), 0);
          run.absorb(job.number, outcome_of(job, *job.decoding.budget), kStart, row);
        }
        ready.clear();
      }
      EXPECT_LE(run.outcome(kStart).outcome.encodings, budget);
      EXPECT_EQ(run.outcome(kStart).outcome.ranking.size(), 100U);
    }
  }
}

TEST(ListRun, APoolIsWithinTheBudgetToo) {
  for (std::size_t budget = 1; budget < 24; ++budget) {
    SCOPED_TRACE(budget);
    ListOptions options = rsd_options(WindowMethod::kTopDown);
    options.windows.pivot = 3;
    options.windows.pool = 12;
    options.budget = budget;
    ListRun run = list_of(100, options);
    std::size_t n_last = 0;
    while (auto job = run.next(kStart)) {
      if (job->items.size() == 12) ++n_last;
      Outcome outcome = outcome_of(*job, *job->decoding.budget);
      std::vector<ItemId> best_last;  // one of each window beats the pivot
      best_last.emplace_back(job->items.size() - 1);
      for (std::size_t i = 0; i + 1 < job->items.size(); ++i)
        best_last.emplace_back(i);
      outcome.ranking = *Ranking::create(best_last);
      run.absorb(job->number, outcome, kStart);
    }
    EXPECT_TRUE(run.finished(kStart));
    EXPECT_LE(run.outcome(kStart).outcome.encodings, budget);
    EXPECT_EQ(n_last, budget < 3 ? 0U : 1U) << "one encoding is kept back for the pool";
  }
}

TEST(ListRun, ASmallBudgetIsSpentOnTheFront) {
  ListOptions options = rsd_options();
  options.budget = 2;
  ListRun run = list_of(100, options);
  const auto lower = *run.next(kStart);
  EXPECT_EQ(lower.items.front(), ItemId(10));
  run.absorb(lower.number, outcome_of(lower, 1), kStart);
  EXPECT_EQ(run.next(kStart)->items.front(), ItemId(0));
}

TEST(ListRun, SharesTheTimeThatIsLeftOutOverTheWindows) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(900);
  ListRun run = list_of(100, options);
  const auto first = *run.next(kStart);
  EXPECT_EQ(first.deadline, kStart + milliseconds(100));
  run.absorb(first.number, outcome_of(first, 3, 1), kStart + milliseconds(50));
  // It took half of its time: the other eight have more.
  EXPECT_EQ(run.next(kStart + milliseconds(50))->deadline,
            kStart + milliseconds(50) + std::chrono::microseconds(106'250));
}

TEST(ListRun, LeavesWindowsOutThatThereIsNoTimeFor) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(1000);
  ListRun run = list_of(100, options);
  run.expect_prefill(200);
  std::vector<ItemId> fronts;
  auto now = kStart;
  while (auto job = run.next(now)) {
    fronts.push_back(job->items.front());
    now += milliseconds(220);
    run.absorb(job->number, outcome_of(*job, 1, 200), now);
  }
  EXPECT_THAT(fronts, testing::ElementsAre(ItemId(30), ItemId(20), ItemId(10), ItemId(0)));
  EXPECT_TRUE(run.outcome(now).outcome.deadline_hit);
}

TEST(ListRun, LearnsFromPrefillsThatItsWindowsHadNoTimeFor) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(1000);
  ListRun run = list_of(1000, options);  // 99 windows: 10 ms each, where a prefill takes 100
  auto now = kStart;
  std::size_t n_given_up = 0;
  std::size_t n_ranked = 0;
  while (auto job = run.next(now)) {
    const auto time = *job->deadline - now;
    const bool in_time = time >= milliseconds(100);
    now += in_time ? Clock::duration(milliseconds(100)) : time;
    Outcome outcome = outcome_of(*job, in_time ? 1 : 0, 100);
    if (!in_time) {
      outcome.prompt_tokens = outcome.verified_prefix = 0;
      outcome.deadline_hit = true;
      ++n_given_up;
    }
    n_ranked += in_time ? 1 : 0;
    run.absorb(job->number, outcome, now);
  }
  EXPECT_LT(n_given_up, 6U);
  EXPECT_GE(n_ranked, 4U);
}

// Until the deadline, one window after the other: those that were ranked.
std::vector<ListRun::WindowJob> played_in_time(ListRun& run, double prefill_ms) {
  std::vector<ListRun::WindowJob> jobs;
  auto now = kStart;
  while (auto job = run.next(now)) {
    now += std::chrono::microseconds(static_cast<long>(1000 * prefill_ms));
    run.absorb(job->number, outcome_of(*job, 1, prefill_ms), now);
    jobs.push_back(*job);
  }
  return jobs;
}

TEST(ListRun, WindowsThatWereLeftOutComeBackWhenOthersTakeLessThanWasExpected) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown}) {
    SCOPED_TRACE(to_string(method));
    ListOptions options = rsd_options(method);
    options.deadline = kStart + milliseconds(4000);
    ListRun run = list_of(100, options);
    run.expect_prefill(1600);  // there is time for two
    const auto jobs = played_in_time(run, 100);
    std::set<int> seen;
    for (const auto& job : jobs)
      for (const ItemId item : job.items)
        seen.insert(item.value());
    EXPECT_EQ(seen.size(), 100U);
    EXPECT_LE(jobs.size(), 10U);
    EXPECT_FALSE(run.outcome(kStart + milliseconds(1000)).outcome.deadline_hit);
  }
}

TEST(ListRun, APromptWithoutAPassOfItsOwnIsTimedByTheFirstRound) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(1000);
  ListRun run = list_of(100, options);
  std::vector<ItemId> fronts;
  auto now = kStart;
  while (auto job = run.next(now)) {
    fronts.push_back(job->items.front());
    now += milliseconds(220);
    Outcome outcome = outcome_of(*job, 1, 0);
    outcome.round_ms = {200};
    run.absorb(job->number, outcome, now);
  }
  // No costs are known before the first window; after it there is time for three.
  EXPECT_THAT(fronts, testing::ElementsAre(ItemId(80), ItemId(20), ItemId(10), ItemId(0)));
}

TEST(ListRun, WindowsThatDontSlowEachOtherDownNeedTimeForTheirRoundsOnly) {
  ListOptions options = rsd_options(WindowMethod::kTopDown);
  options.deadline = kStart + milliseconds(1000);
  ListRun run = list_of(1000, options);  // 53 windows in three rounds
  run.expect_prefill(200);
  run.expect_side_by_side(64);
  const auto first = *run.next(kStart);
  auto now = kStart + milliseconds(200);
  run.absorb(first.number, outcome_of(first, 1, 200), now);
  std::size_t n_comparisons = 0;
  while (run.next(now))
    ++n_comparisons;
  EXPECT_EQ(n_comparisons, 52U);
}

TEST(ListRun, TimeForAPrefillIsKeptForTheWindowsToCome) {
  ListOptions options = rsd_options(WindowMethod::kTopDown);
  options.deadline = kStart + milliseconds(600);
  ListRun run = list_of(38, options);  // a first window, a comparison and a last one
  run.expect_prefill(200);
  const auto first = *run.next(kStart);
  const auto now = kStart + milliseconds(250);
  run.absorb(first.number, outcome_of(first, 1, 100), now);
  const auto comparison = *run.next(now);
  EXPECT_LE(comparison.deadline, kStart + milliseconds(600 - 125));
}

TEST(ListRun, TopDownSpendsAllOfASmallBudget) {
  for (const std::size_t budget : {1U, 2U, 3U}) {
    ListOptions options = rsd_options(WindowMethod::kTopDown);
    options.budget = budget;
    ListRun run = list_of(100, options);
    while (auto job = run.next(kStart)) {
      Outcome outcome = outcome_of(*job, *job->decoding.budget);
      std::vector<ItemId> backwards;  // all beat the pivot
      for (std::size_t i = job->items.size(); i-- > 0;)
        backwards.emplace_back(i);
      outcome.ranking = *Ranking::create(backwards);
      run.absorb(job->number, outcome, kStart);
    }
    EXPECT_TRUE(run.finished(kStart));
    EXPECT_EQ(run.outcome(kStart).outcome.encodings, budget);
  }
}

TEST(ListRun, EndsAtTheDeadlineWithTheOrderSoFar) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(1000);
  ListRun run = list_of(100, options);
  const auto job = *run.next(kStart);
  run.absorb(job.number, outcome_of(job, 1, 1), kStart);
  const auto late = kStart + milliseconds(1001);
  EXPECT_FALSE(run.next(late));
  EXPECT_TRUE(run.finished(late));
  EXPECT_TRUE(run.outcome(late).outcome.deadline_hit);
  EXPECT_EQ(run.outcome(late).outcome.ranking.size(), 100U);
}

TEST(ListRun, AListOfOneWindowIsDecodedAsItIs) {
  ListOptions options = rsd_options();
  options.decoding.top_n = 5;
  options.budget = 4;
  options.deadline = kStart + milliseconds(70);
  ListRun run = list_of(20, options);
  const auto job = *run.next(kStart);
  EXPECT_EQ(job.items.size(), 20U);
  EXPECT_EQ(job.decoding.budget, 4U);
  EXPECT_EQ(job.decoding.top_n, 5U);
  EXPECT_EQ(job.deadline, options.deadline);
  EXPECT_FALSE(run.next(kStart));
  run.absorb(job.number, outcome_of(job, 2), kStart);
  EXPECT_TRUE(run.finished(kStart));
  EXPECT_EQ(run.outcome(kStart).outcome.verified_prefix, 2U);
}

TEST(ListRun, WindowsOnTheWayStopWhereWhatGoesOnIsKnown) {
  ListOptions options = rsd_options(WindowMethod::kTopDown);
  options.decoding.top_n = 5;
  ListRun run = list_of(100, options);
  const auto first = *run.next(kStart);
  EXPECT_EQ(first.decoding.top_n, 11U) << "the pivot and those above it";
  run.absorb(first.number, outcome_of(first, 3), kStart);
  const auto comparison = *run.next(kStart);
  EXPECT_EQ(comparison.decoding.until_placed, ItemId(0));
  EXPECT_FALSE(comparison.decoding.top_n);
}

TEST(ListRun, TheFirstWindowIsDecodedAsFarAsItMayBeInThePool) {
  ListOptions options = rsd_options(WindowMethod::kTopDown);
  options.windows.pivot = 3;
  options.windows.pool = 12;
  options.decoding.top_n = 5;
  ListRun run = list_of(100, options);
  EXPECT_EQ(run.next(kStart)->decoding.top_n, 12U);
}

TEST(ListRun, AWindowThatTakesOneRowIsDecodedNoFurther) {
  for (const auto decoder : {DecoderKind::kAr, DecoderKind::kRsd, DecoderKind::kExact}) {
    ListOptions options = rsd_options(WindowMethod::kCalibrated);
    options.decoding.decoder = decoder;
    ListRun run = list_of(100, options);
    const auto job = *run.next(kStart);
    EXPECT_EQ(job.decoding.decoder, DecoderKind::kStd);
    EXPECT_FALSE(run.next(kStart)) << "the pivot isn't known";
    const std::vector<float> row(job.items.size(), 0);
    run.absorb(job.number, outcome_of(job, 1), kStart, row);
    EXPECT_EQ(run.next(kStart)->items.front(), ItemId(10));
    const auto budget = takes_budget(decoder) ? std::optional<std::size_t>(1) : std::nullopt;
    EXPECT_EQ(run.outcome(kStart).budget, budget) << "one for the window that was ranked";
  }
}

TEST(ListRun, NoDeadlineIsHitWhereEveryWindowCameToItsEndAtLast) {
  ListOptions options = rsd_options(WindowMethod::kCalibrated);
  options.deadline = kStart + milliseconds(10'000);
  ListRun run = list_of(100, options);
  const auto cut_short = *run.next(kStart);
  Outcome nothing = outcome_of(cut_short, 0, 0);
  nothing.prompt_tokens = 0;
  nothing.deadline_hit = true;
  run.absorb(cut_short.number, nothing, kStart);
  EXPECT_TRUE(run.outcome(kStart).outcome.deadline_hit);
  while (auto job = run.next(kStart)) {
    const std::vector<float> row(job->items.size(), 0);
    run.absorb(job->number, outcome_of(*job, 1), kStart, row);
  }
  EXPECT_EQ(run.outcome(kStart).outcome.verified_prefix, 100U);
  EXPECT_FALSE(run.outcome(kStart).outcome.deadline_hit);
}

// Its share of the time was too short for the first window, on which all others depend.
TEST(ListRun, AFirstWindowThatThereWasNoTimeForIsTriedAgainWhileThereIsTime) {
  ListOptions options = rsd_options(WindowMethod::kCalibrated);
  options.deadline = kStart + milliseconds(600);
  ListRun run = list_of(100, options);
  auto now = kStart;
  std::size_t n_tries = 0;
  for (; n_tries < 20 && !run.finished(now); ++n_tries) {
    const auto job = *run.next(now);
    const auto least = now + milliseconds(150);
    const bool is_done = *job.deadline >= least;
    now = is_done ? least : *job.deadline;
    Outcome outcome = outcome_of(job, is_done ? 1 : 0, is_done ? 150 : 0);
    outcome.deadline_hit = !is_done;
    if (!is_done) outcome.prompt_tokens = 0;
    const std::vector<float> row(is_done ? job.items.size() : 0, 0);
    run.absorb(job.number, outcome, now, row);
  }
  EXPECT_TRUE(run.finished(now));
  EXPECT_GE(run.outcome(now).confirmed_prefix, 20U);
  EXPECT_GT(n_tries, 2U);
}

// As a window ends that was refused at once, since its prefill is expected to take too long.
Outcome refused(const ListRun::WindowJob& job) {
  Outcome outcome = outcome_of(job, 0, 0);
  outcome.prompt_tokens = outcome.verified_prefix = 0;
  outcome.deadline_hit = true;
  outcome.refused = CostModel::Kind::kPrefill;
  return outcome;
}

TEST(ListRun, AWindowThatIsRefusedComesAgainWithMoreTimeUntilItHadAllOfIt) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown,
                            WindowMethod::kTournament, WindowMethod::kCalibrated}) {
    SCOPED_TRACE(to_string(method));
    ListOptions options = rsd_options(method);
    options.deadline = kStart + milliseconds(300);
    ListRun run = list_of(100, options);
    std::vector<Clock::duration> shares;
    while (auto job = run.next(kStart)) {
      ASSERT_LT(shares.size(), 20U);
      shares.push_back(*job->deadline - kStart);
      run.absorb(job->number, refused(*job), kStart);
    }
    EXPECT_TRUE(run.finished(kStart));
    EXPECT_LE(shares.size(), 5U);
    if (method == WindowMethod::kSliding || method == WindowMethod::kCalibrated) {
      EXPECT_EQ(shares.back(), milliseconds(300));
    }
    for (std::size_t n = 0; n + 2 < shares.size(); ++n)
      EXPECT_GE(shares[n + 1], 2 * shares[n]);
    const ListOutcome list = run.outcome(kStart);
    EXPECT_EQ(list.n_windows, 0U) << "none was ranked";
    EXPECT_EQ(list.budget, 0U);
    EXPECT_EQ(list.outcome.encodings, 0U);
    EXPECT_TRUE(list.outcome.deadline_hit);
    EXPECT_EQ(list.outcome.ranking, Ranking::identity(100));
  }
}

TEST(ListRun, CountsTheWindowsThatWereRankedOnly) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(10'000);
  ListRun run = list_of(100, options);
  const auto first = *run.next(kStart);
  run.absorb(first.number, outcome_of(first, 2), kStart);
  const auto second = *run.next(kStart);
  run.absorb(second.number, refused(second), kStart);
  EXPECT_EQ(run.outcome(kStart).n_windows, 1U);
  EXPECT_EQ(run.outcome(kStart).budget, 3U);
}

TEST(ListRun, NoDeadlineIsSoFarAwayOrSoCloseThatTimesOverflow) {
  for (const double ms : {1e-9, 1.0, 1e12, 1e300}) {
    for (const auto method : {WindowMethod::kSliding, WindowMethod::kCalibrated}) {
      SCOPED_TRACE(testing::Message() << to_string(method) << " " << ms);
      ListOptions options = rsd_options(method);
      options.deadline = kStart + duration_of_ms(ms);
      ListRun run = list_of(1000, options);
      run.expect_prefill(ms);
      int n_tasks = 0;
      for (; n_tasks < 200 && !run.finished(kStart); ++n_tasks) {
        const auto job = *run.next(kStart);
        EXPECT_GE(*job.deadline, kStart);
        EXPECT_LE(*job.deadline, *options.deadline);
        run.absorb(job.number, refused(job), kStart);
      }
      EXPECT_LT(n_tasks, 120);
    }
  }
}

TEST(ListRun, AnEvenShareOfATimeThatIsFarAwayIsNoOverflow) {
  ListOptions options = rsd_options(WindowMethod::kTopDown);
  options.deadline = kStart + duration_of_ms(1e300);
  ListRun run = list_of(1000, options);
  const auto first = *run.next(kStart);
  run.absorb(first.number, outcome_of(first, 3), kStart);
  auto last = kStart;
  while (auto job = run.next(kStart)) {  // 52 concurrent ones
    EXPECT_GT(*job->deadline, last);
    last = *job->deadline;
  }
  EXPECT_LT(last, *options.deadline);
}

TEST(ListRun, IsLateBeforeItsFirstWindowToo) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(10);
  ListRun run = list_of(100, options);
  EXPECT_FALSE(run.next(kStart + milliseconds(10)));
  EXPECT_TRUE(run.finished(kStart + milliseconds(10)));
  EXPECT_TRUE(run.outcome(kStart + milliseconds(10)).outcome.deadline_hit);
}

TEST(ListRun, CountsTheTimeThatPromptsTake) {
  ListOptions options = rsd_options();
  options.deadline = kStart + milliseconds(1000);
  ListRun run = list_of(100, options);
  run.expect_prefill(80);  // 100 with its margin
  run.note_prompt(200);
  run.note_prompt(100);  // 150 on average: 4 windows, where the prefills alone leave 10
  const auto first = *run.next(kStart);
  EXPECT_EQ(first.items.front(), ItemId(30));
  EXPECT_EQ(first.deadline, kStart + milliseconds(250));
}

TEST(ListRun, PromptsAreBuiltOneAfterTheOtherWhateverGoesOnSideBySide) {
  ListOptions options = rsd_options(WindowMethod::kTopDown);
  options.deadline = kStart + milliseconds(1000);
  ListRun run = list_of(1000, options);
  run.expect_prefill(80);
  run.expect_side_by_side(64);
  run.note_prompt(100);
  const auto first = *run.next(kStart);
  run.absorb(first.number, outcome_of(first, 1, 80), kStart);
  EXPECT_TRUE(run.outcome(kStart).outcome.deadline_hit) << "52 prompts take 5200 ms";
  std::size_t n_comparisons = 0;
  for (auto now = kStart; run.next(now); now += milliseconds(100))
    ++n_comparisons;
  EXPECT_LE(n_comparisons, 10U);
}

TEST(ListRun, OnlyOnePromptForAllOfAListBeginsWithAnEarlierAnswer) {
  ListOptions options = rsd_options();
  options.decoding.first_proposal = Ranking::identity(100);
  options.windows.size = 100;
  EXPECT_TRUE(list_of(100, options).next(kStart)->decoding.first_proposal);
  options.windows.size = 20;
  EXPECT_FALSE(list_of(100, options).next(kStart)->decoding.first_proposal);
}

TEST(ListRun, RefusesWhatNoWindowCouldBeDecodedWith) {
  ListOptions options = rsd_options();
  options.decoding.top_n = 0;
  EXPECT_FALSE(ListRun::create(Ranking::identity(100), options, kStart));
  options = rsd_options();
  options.budget = 0;
  EXPECT_FALSE(ListRun::create(Ranking::identity(100), options, kStart));
  options = rsd_options();
  options.windows.stride = 20;
  EXPECT_FALSE(ListRun::create(Ranking::identity(100), options, kStart));
}

}  // namespace
}  // namespace rsd
