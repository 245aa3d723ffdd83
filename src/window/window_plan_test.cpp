#include "rsd/window/window_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "rsd/rank/presentation.h"
#include "window/merged.h"

namespace rsd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Items are wanted in the order of their numbers; the list has them in another.
Ranking shuffled(std::size_t n_items, std::uint64_t seed = 1) {
  std::vector<std::size_t> order(n_items);
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto generator = request_generator(seed, "list");
  shuffle(order, generator);
  std::vector<ItemId> items;
  for (const std::size_t item : order)
    items.emplace_back(item);
  return *Ranking::create(std::move(items));
}

// An LLM that never contradicts itself.
Ranking ranked(const Window& window) {
  std::vector<double> scores;
  for (const ItemId item : window.items)
    scores.push_back(-item.value());
  return Ranking::by_score(scores);
}

// Its logits for the first position.
std::vector<float> row_of(const Window& window) {
  std::vector<float> row;
  for (const ItemId item : window.items)
    row.push_back(static_cast<float>(-item.value()));
  return row;
}

// What it reads of each item by itself.
std::vector<float> relevance_of(const Window& window) {
  std::vector<float> relevance;
  for (const ItemId item : window.items)
    relevance.push_back(3 - static_cast<float>(item.value()));
  return relevance;
}

struct Played {
  std::vector<Window> windows;
  std::size_t rounds = 0;  // groups of concurrent windows
};

// All that is ready, absorbed from the last to the first, until nothing comes any more.
Played play(WindowPlan& plan) {
  Played played;
  while (true) {
    std::vector<Window> ready;
    while (auto window = plan.next()) {
      ready.push_back(*std::move(window));
      EXPECT_EQ(plan.order().size(), plan.order().positions().size());
    }
    if (ready.empty()) break;
    ++played.rounds;
    for (auto window = ready.rbegin(); window != ready.rend(); ++window) {
      const auto row = row_of(*window);
      const auto relevance = relevance_of(*window);
      plan.absorb(window->number, {ranked(*window), window->items.size(), row, relevance});
    }
    std::ranges::move(ready, std::back_inserter(played.windows));
  }
  EXPECT_EQ(plan.n_to_come(), 0U);
  return played;
}

std::vector<int> first(const Ranking& ranking, std::size_t n) {
  std::vector<int> items;
  for (std::size_t i = 0; i < n; ++i)
    items.push_back(ranking.at(Position(i)).value());
  return items;
}

std::vector<int> numbers(std::size_t n) {
  std::vector<int> all(n);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

using Case = std::tuple<WindowMethod, std::size_t>;  // method, items of the list

class EveryPlan : public testing::TestWithParam<Case> {};

TEST_P(EveryPlan, FindsTheFirstTenOfAListThatItsLlmOrdersWithoutContradiction) {
  const auto [method, n_items] = GetParam();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto plan = *WindowPlan::create(shuffled(n_items, seed), {.method = method});
    const Played played = play(*plan);
    const std::size_t n = std::min<std::size_t>(10, n_items);
    EXPECT_EQ(first(plan->order(), n), numbers(n));
    EXPECT_GE(plan->verified(), n);
    for (const Window& window : played.windows)
      EXPECT_LE(window.items.size(), 20U);
  }
}

TEST_P(EveryPlan, GivesAValidOrderWhateverItIsLimitedTo) {
  const auto [method, n_items] = GetParam();
  for (std::size_t most = 1; most < 12; ++most) {
    SCOPED_TRACE(most);
    const auto plan = *WindowPlan::create(shuffled(n_items), {.method = method}, most);
    EXPECT_LE(plan->n_to_come(), most);
    EXPECT_LE(play(*plan).windows.size(), most);
    EXPECT_EQ(plan->order().size(), n_items);
  }
}

TEST_P(EveryPlan, ForeseesAsManyWindowsAsThereAreIfNothingComesUpFromTheEnd) {
  const auto [method, n_items] = GetParam();
  const auto plan = *WindowPlan::create(Ranking::identity(n_items), {.method = method});
  const std::size_t foreseen = plan->n_to_come();
  const std::size_t n_played = play(*plan).windows.size();
  EXPECT_GE(foreseen, n_played);
  EXPECT_LE(foreseen, n_played + 1) << "top-down leaves its last window out then";
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string name(to_string(std::get<0>(info.param)));
  std::erase(name, '-');
  return name + std::to_string(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(
    Lists, EveryPlan,
    testing::Combine(testing::Values(WindowMethod::kSliding, WindowMethod::kTopDown,
                                     WindowMethod::kTournament, WindowMethod::kCalibrated,
                                     WindowMethod::kRelevance),
                     testing::Values(1, 2, 19, 20, 21, 39, 40, 57, 100, 101, 1000)),
    name_of);

TEST(WindowPlan, SlidesInRankGptsWindowsOverAHundred) {
  const auto plan = *WindowPlan::create(Ranking::identity(100), {});
  EXPECT_EQ(plan->n_to_come(), 9U);
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 9U);
  EXPECT_EQ(played.rounds, 9U) << "each waits for the one after it";
  EXPECT_EQ(played.windows.front().items.front(), ItemId(80));
  EXPECT_EQ(played.windows.back().items.front(), ItemId(0));
  EXPECT_EQ(played.windows.front().wanted, 10U);
  EXPECT_EQ(played.windows.back().wanted, 20U);
}

Ranking best_last(int n_items) {
  std::vector<ItemId> items;
  for (int i = 1; i < n_items; ++i)
    items.emplace_back(i);
  items.emplace_back(0);
  return *Ranking::create(items);
}

TEST(WindowPlan, CarriesTheBestFromTheEndToTheFront) {
  const auto plan = *WindowPlan::create(best_last(100), {});
  play(*plan);
  EXPECT_EQ(plan->order().at(Position(0)), ItemId(0));
}

TEST(WindowPlan, ASecondSlidingPassBeginsBeforeTheFirstHasEndedAndChangesNothingThatItNeeds) {
  const auto order = shuffled(200);
  const auto overlapping = *WindowPlan::create(order, {.passes = 3});
  const Played together = play(*overlapping);
  EXPECT_EQ(together.windows.size(), 3U * 19U);
  EXPECT_LT(together.rounds, 30U);
  // One pass after the other.
  Ranking one_by_one = order;
  for (int pass = 0; pass < 3; ++pass) {
    const auto plan = *WindowPlan::create(one_by_one, {});
    play(*plan);
    one_by_one = plan->order();
  }
  EXPECT_EQ(overlapping->order(), one_by_one);
  EXPECT_EQ(first(one_by_one, 30), numbers(30));
}

// Lists whose front window overlaps the next one by more than the others do.
TEST(WindowPlan, PassesThatOverlapGiveWhatOneAfterTheOtherGivesWhateverTheLength) {
  for (const std::size_t n_items : {7U, 8U, 9U, 10U, 13U, 35U, 41U}) {
    SCOPED_TRACE(n_items);
    const WindowOptions options{.size = 4, .stride = 2, .passes = 3};
    const auto overlapping = *WindowPlan::create(shuffled(n_items), options);
    play(*overlapping);
    Ranking one_by_one = shuffled(n_items);
    for (int pass = 0; pass < 3; ++pass) {
      const auto plan = *WindowPlan::create(one_by_one, {.size = 4, .stride = 2});
      play(*plan);
      one_by_one = plan->order();
    }
    EXPECT_EQ(overlapping->order(), one_by_one);
  }
}

TEST(WindowPlan, WhatAWindowIsWantedForIsAllThatOthersSeeOfIt) {
  const auto plan = *WindowPlan::create(Ranking::identity(35), {});
  std::vector<std::size_t> wanted;
  for (const Window& window : play(*plan).windows)
    wanted.push_back(window.wanted);
  // [15, 35), [5, 25), and [0, 20), which sees 15 items of the window before it in the pass.
  EXPECT_THAT(wanted, ElementsAre(10, 15, 20));
  const auto twice = *WindowPlan::create(Ranking::identity(40), {.passes = 2});
  EXPECT_EQ(twice->next()->wanted, 20U) << "the next pass sees all of it";
}

TEST(WindowPlan, WindowsThatWereNotDecodedChangeNothing) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown}) {
    SCOPED_TRACE(to_string(method));
    const auto plan = *WindowPlan::create(shuffled(100), {.method = method});
    while (auto window = plan->next())
      plan->absorb(window->number, {Ranking::identity(window->items.size()), 0});
    EXPECT_EQ(plan->order(), shuffled(100));
    EXPECT_EQ(plan->confirmed(), 0U);
  }
}

WindowOptions calibrated(std::size_t size = 20) {
  return {.method = WindowMethod::kCalibrated, .size = size};
}

TEST(WindowPlan, CalibratedShowsAllOthersBesideThePivotAtOnceAndTakesOneRowOfEachWindow) {
  const auto plan = *WindowPlan::create(Ranking::identity(100), calibrated());
  EXPECT_EQ(plan->n_to_come(), 6U);
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 6U);
  EXPECT_EQ(played.rounds, 2U);
  for (const Window& window : played.windows)
    EXPECT_TRUE(window.takes_one_row);
  // 80 others, dealt out in turn.
  for (std::size_t n = 1; n < played.windows.size(); ++n) {
    ASSERT_EQ(played.windows[n].items.size(), 17U);
    EXPECT_EQ(played.windows[n].items[0], ItemId(10));
    EXPECT_EQ(played.windows[n].items[1], ItemId(20 + n - 1));
    EXPECT_EQ(played.windows[n].items[2], ItemId(25 + n - 1));
  }
  EXPECT_EQ(plan->order(), Ranking::identity(100));
  EXPECT_EQ(plan->verified(), 100U) << "every row is the LLM's own";
  EXPECT_EQ(plan->confirmed(), 100U);
}

TEST(WindowPlan, CalibratedOrdersWindowsAsOneByHowFarAboveThePivotTheirItemsAre) {
  const auto plan = *WindowPlan::create(shuffled(39), calibrated());  // 20, and one of 19
  play(*plan);
  EXPECT_EQ(plan->order(), Ranking::identity(39));
  const auto pairs = *WindowPlan::create(shuffled(6), calibrated(2));
  play(*pairs);
  EXPECT_EQ(pairs->order(), Ranking::identity(6));
}

TEST(WindowPlan, CalibratedIsNotMisledByWindowsThatLogitsAreHigherInThanInOthers) {
  const auto plan = *WindowPlan::create(shuffled(100), calibrated());
  while (auto window = plan->next()) {
    auto row = row_of(*window);
    for (float& logit : row)
      logit += 40 * static_cast<float>(window->number);
    plan->absorb(window->number, {ranked(*window), 1, row});
  }
  EXPECT_EQ(plan->order(), Ranking::identity(100));
}

// Each window that comes, as if there had been no time for it.
std::vector<Window> give_up(WindowPlan& plan, std::size_t n_windows) {
  std::vector<Window> given;
  for (std::size_t n = 0; n < n_windows; ++n) {
    given.push_back(*plan.next());
    const std::size_t size = given.back().items.size();
    plan.absorb(given.back().number, {Ranking::identity(size), 0, {}});
  }
  return given;
}

TEST(WindowPlan, CalibratedGivesAWindowThatThereWasNoTimeForAgain) {
  const auto plan = *WindowPlan::create(best_last(100), calibrated());
  const auto first_windows = give_up(*plan, 2);
  EXPECT_EQ(first_windows[0].items, first_windows[1].items);
  EXPECT_EQ(plan->order(), best_last(100)) << "windows that were not decoded carry no information";
  const Window again = *plan->next();
  EXPECT_FALSE(plan->next()) << "the pivot isn't known";
  plan->absorb(again.number, {ranked(again), 20, row_of(again)});
  const auto comparisons = give_up(*plan, 2);
  EXPECT_EQ(comparisons[0].items, comparisons[1].items);
  EXPECT_EQ(plan->n_to_come(), 5U);
  EXPECT_EQ(plan->confirmed(), 20U);
  EXPECT_EQ(plan->verified(), 0U);
  play(*plan);
  EXPECT_EQ(plan->order(), Ranking::identity(100));
  EXPECT_EQ(plan->verified(), 100U);
}

TEST(WindowPlan, CalibratedEndsWhenNoWindowLeftCanChangeTheOrder) {
  const auto plan = *WindowPlan::create(best_last(100), calibrated(), 3);
  give_up(*plan, 3);
  EXPECT_FALSE(plan->next());
  EXPECT_EQ(plan->n_to_come(), 0U);
  EXPECT_EQ(plan->order(), best_last(100));
  EXPECT_EQ(plan->verified(), 0U);
}

TEST(WindowPlan, CalibratedKeepsWhatIsNotComparedAfterTheOthers) {
  const auto plan = *WindowPlan::create(best_last(100), calibrated(), 3);
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 3U);
  // The first 20, 38 more, and 42 in the list's order.
  EXPECT_EQ(plan->verified(), 58U);
  EXPECT_EQ(plan->order(), best_last(100));
}

WindowOptions relevance(std::size_t size = 20) {
  return {.method = WindowMethod::kRelevance, .size = size};
}

TEST(WindowPlan, RelevanceReadsAllAtOnceAndThenRanksTheMostRelevant) {
  const auto plan = *WindowPlan::create(shuffled(90), relevance());
  EXPECT_EQ(plan->n_to_come(), 6U);
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 6U);
  EXPECT_EQ(played.rounds, 2U);
  for (std::size_t n = 0; n < 5; ++n) {
    EXPECT_EQ(played.windows[n].items.size(), 18U);
    EXPECT_TRUE(played.windows[n].takes_one_row);
  }
  const Window& last = played.windows.back();
  EXPECT_TRUE(last.is_last);
  EXPECT_FALSE(last.takes_one_row);
  for (std::size_t n = 0; n < 20; ++n)
    EXPECT_EQ(last.items[n], ItemId(n));
  EXPECT_EQ(plan->order(), Ranking::identity(90));
  EXPECT_EQ(plan->verified(), 90U);
}

// The last window compares, which reading doesn't: its order counts for what it ranks.
TEST(WindowPlan, RelevanceKeepsTheLastWindowsOrderOfWhatItRanks) {
  const auto plan = *WindowPlan::create(shuffled(9), relevance(3));
  while (auto window = plan->next()) {
    if (window->is_last) {
      plan->absorb(window->number, {*Ranking::create({ItemId(2), ItemId(0), ItemId(1)}), 2, {}});
      break;
    }
    const auto read = relevance_of(*window);
    plan->absorb(window->number, {ranked(*window), 1, row_of(*window), read});
  }
  EXPECT_THAT(first(plan->order(), 5), ElementsAre(2, 0, 1, 3, 4));
  EXPECT_EQ(plan->verified(), 2U);
  EXPECT_EQ(plan->n_to_come(), 0U);
}

TEST(WindowPlan, RelevanceGivesAWindowThatThereWasNoTimeForAgain) {
  const auto plan = *WindowPlan::create(best_last(60), relevance());
  const auto given = give_up(*plan, 1);
  const Window again = *plan->next();
  EXPECT_EQ(again.items, given[0].items);
  const auto read = relevance_of(again);
  plan->absorb(again.number, {ranked(again), 1, row_of(again), read});
  play(*plan);
  EXPECT_EQ(plan->order(), Ranking::identity(60));
  EXPECT_EQ(plan->verified(), 60U);
}

TEST(WindowPlan, RelevanceWithFewWindowsReadsTheFirstOfTheListAndRanksTheBestOfThem) {
  const auto plan = *WindowPlan::create(best_last(100), relevance(), 3);
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 3U);
  EXPECT_TRUE(played.windows.back().is_last);
  EXPECT_EQ(plan->order(), best_last(100)) << "the best one wasn't read";
  EXPECT_EQ(plan->verified(), 40U);
  const auto one = *WindowPlan::create(best_last(100), relevance(), 1);
  EXPECT_TRUE(play(*one).windows.front().is_last);
}

TEST(WindowPlan, TopDownComparesAllOthersWithThePivotAtOnce) {
  const auto plan = *WindowPlan::create(Ranking::identity(100), {.method = WindowMethod::kTopDown});
  const Played played = play(*plan);
  // The first window, and 80 other items in windows of 19 and the pivot; none beats it.
  ASSERT_EQ(played.windows.size(), 6U);
  EXPECT_EQ(played.rounds, 2U);
  EXPECT_EQ(played.windows.front().wanted, 11U);
  for (std::size_t n = 1; n < played.windows.size(); ++n) {
    EXPECT_EQ(played.windows[n].pivot, ItemId(0));
    EXPECT_EQ(played.windows[n].items.front(), ItemId(10));
  }
}

TEST(WindowPlan, TopDownRanksWhatBeatThePivotAgain) {
  const auto plan = *WindowPlan::create(shuffled(100), {.method = WindowMethod::kTopDown});
  const Played played = play(*plan);
  EXPECT_GT(played.windows.size(), 6U);
  EXPECT_EQ(first(plan->order(), 10), numbers(10));
}

TEST(WindowPlan, TopDownRanksNoMoreThanThePoolAgain) {
  const auto plan =
      *WindowPlan::create(shuffled(100), {.method = WindowMethod::kTopDown, .pool = 15});
  const Played played = play(*plan);
  EXPECT_EQ(played.windows.size(), 7U);
  EXPECT_EQ(played.windows.back().items.size(), 15U);
  EXPECT_LE(plan->verified(), 15U);
}

TEST(WindowPlan, TopDownComparesWithThePivotThatWasAskedFor) {
  const auto plan =
      *WindowPlan::create(Ranking::identity(100), {.method = WindowMethod::kTopDown, .pivot = 3});
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 6U);
  EXPECT_EQ(played.windows.front().wanted, 4U);
  EXPECT_EQ(played.windows.back().items.front(), ItemId(3));
  EXPECT_EQ(plan->verified(), 4U) << "the pivot and what is above it";
}

WindowOptions with_pool(std::size_t pivot, std::size_t pool) {
  return {.method = WindowMethod::kTopDown, .pivot = pivot, .pool = pool};
}

TEST(WindowPlan, WhereFewBeatThePivotTheFirstWindowMakesThePoolUp) {
  const auto plan = *WindowPlan::create(best_last(100), with_pool(3, 12));
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 7U);
  EXPECT_EQ(played.windows.front().wanted, 12U) << "any of which may be in the pool";
  // The items above the pivot, including those that came up from the end; then the pivot, 4, and
  // the items below.
  std::vector<int> items;
  for (const ItemId item : played.windows.back().items)
    items.push_back(item.value());
  EXPECT_THAT(items, ElementsAre(1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_EQ(first(plan->order(), 12), numbers(12));
  EXPECT_EQ(plan->verified(), 12U) << "nothing is known of who follows";
  EXPECT_EQ(plan->confirmed(), 12U);
}

TEST(WindowPlan, APoolThatTheOthersFillTakesNothingFromThePivotOn) {
  const auto plan = *WindowPlan::create(best_last(100), with_pool(3, 4));
  const Played played = play(*plan);
  EXPECT_EQ(played.windows.back().items.size(), 4U);
  EXPECT_EQ(first(plan->order(), 5), numbers(5));
  EXPECT_EQ(plan->verified(), 5U) << "the pivot follows";
}

TEST(WindowPlan, APoolTakesTheFirstOfEachWindowThenTheSecond) {
  const auto plan =
      *WindowPlan::create(Ranking::identity(39), with_pool(4, 6));  // 20, and one of 19
  const Window first_window = *plan->next();
  plan->absorb(first_window.number, {ranked(first_window), 20});
  const Window comparison = *plan->next();
  // 20 and 21 beat the pivot.
  std::vector<ItemId> order{ItemId(1), ItemId(2), ItemId(0)};
  for (int i = 3; i < 20; ++i)
    order.emplace_back(i);
  plan->absorb(comparison.number, {*Ranking::create(order), 20});
  EXPECT_THAT(plan->next()->items,
              ElementsAre(ItemId(0), ItemId(20), ItemId(1), ItemId(21), ItemId(2), ItemId(3)));
}

TEST(WindowPlan, APoolOfMoreThanAWindowIsMadeUpToAWindow) {
  for (const std::size_t pool : {20U, 30U, 200U}) {
    SCOPED_TRACE(pool);
    const auto plan = *WindowPlan::create(best_last(100), with_pool(3, pool));
    const Played played = play(*plan);
    ASSERT_EQ(played.windows.size(), 7U);
    EXPECT_EQ(played.windows.front().wanted, 20U);
    EXPECT_EQ(played.windows.back().items.size(), 20U);
    EXPECT_TRUE(played.windows.back().is_last);
  }
}

TEST(WindowPlan, WhereNobodyBeatsThePivotTheFirstWindowsOrderIsThePools) {
  const auto plan = *WindowPlan::create(Ranking::identity(100), with_pool(3, 12));
  EXPECT_EQ(plan->n_to_come(), 7U);
  const Played played = play(*plan);
  EXPECT_EQ(played.windows.size(), 6U);
  EXPECT_EQ(first(plan->order(), 12), numbers(12));
  EXPECT_EQ(plan->verified(), 12U);
  EXPECT_EQ(plan->confirmed(), 12U);
}

// The window of the list's first items verifies this many positions, the others all.
std::unique_ptr<WindowPlan> after_doubtful_first(const Ranking& order, std::size_t verified) {
  auto plan = *WindowPlan::create(order, with_pool(3, 12));
  bool is_first = true;
  while (auto window = plan->next()) {
    const bool doubtful = std::exchange(is_first, false);
    plan->absorb(window->number, {ranked(*window), doubtful ? verified : window->items.size()});
  }
  return plan;
}

TEST(WindowPlan, APoolIsAsArHasItOnlyIfTheFirstWindowIsVerifiedAsFarAsItIsInThePool) {
  // 3 above the pivot, one that comes up, and 8 from the pivot on.
  EXPECT_EQ(after_doubtful_first(best_last(100), 11)->verified(), 12U);
  EXPECT_EQ(after_doubtful_first(best_last(100), 10)->verified(), 0U);
  EXPECT_EQ(after_doubtful_first(best_last(100), 10)->confirmed(), 12U);
}

TEST(WindowPlan, OfAPoolThatNobodyCameToAsMuchIsKnownAsOfTheFirstWindow) {
  for (const std::size_t verified : {4U, 7U, 12U}) {
    const auto plan = after_doubtful_first(Ranking::identity(100), verified);
    EXPECT_EQ(plan->verified(), verified);
    EXPECT_EQ(plan->confirmed(), verified);
  }
  EXPECT_EQ(after_doubtful_first(Ranking::identity(100), 20)->verified(), 12U);
  const auto plan = after_doubtful_first(Ranking::identity(100), 3);
  EXPECT_EQ(plan->verified(), 0U) << "the pivot may be another";
}

TEST(WindowPlan, APoolKeepsToItsLimitWhateverThePivot) {
  for (const std::size_t pivot : {1U, 5U, 19U}) {
    for (const std::size_t pool : {2U, 12U, 20U, 30U}) {
      for (std::size_t most = 1; most < 12; ++most) {
        SCOPED_TRACE(testing::Message() << pivot << " " << pool << " " << most);
        const auto plan = *WindowPlan::create(shuffled(100), with_pool(pivot, pool), most);
        EXPECT_LE(plan->n_to_come(), most);
        EXPECT_LE(play(*plan).windows.size(), most);
        EXPECT_EQ(plan->order().size(), 100U);
      }
    }
  }
}

TEST(WindowPlan, ATournamentsGroupsOfARoundAreThereTogether) {
  const auto plan =
      *WindowPlan::create(shuffled(100), {.method = WindowMethod::kTournament, .advance = 4});
  const Played played = play(*plan);
  ASSERT_EQ(played.windows.size(), 6U);
  EXPECT_EQ(played.rounds, 2U);
  EXPECT_EQ(first(plan->order(), 4), numbers(4));
}

TEST(WindowPlan, ALimitSparesTheFirstItems) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown}) {
    SCOPED_TRACE(to_string(method));
    const auto plan = *WindowPlan::create(Ranking::identity(100), {.method = method}, 3);
    for (const Window& window : play(*plan).windows)
      for (const ItemId item : window.items)
        EXPECT_LT(item.value(), 40);
  }
}

TEST(WindowPlan, ALimitOnTheWayGoesToTheFrontAtOnce) {
  const auto plan = *WindowPlan::create(shuffled(200), {});
  const Window first_window = *plan->next();
  plan->absorb(first_window.number, {ranked(first_window), 20});
  plan->limit(1);
  EXPECT_EQ(plan->n_to_come(), 1U);
  const Window last = *plan->next();
  EXPECT_EQ(last.items.front(), shuffled(200).at(Position(0)));
  plan->absorb(last.number, {ranked(last), 20});
  EXPECT_EQ(plan->n_to_come(), 0U);
}

TEST(WindowPlan, ALimitOfNoWindowsLeavesAPassThatIsDoneAndTheFrontWindow) {
  const auto plan = *WindowPlan::create(Ranking::identity(40), {.passes = 2});
  for (int n = 0; n < 3 + 1; ++n) {  // the first pass, and a window of the second
    const Window window = *plan->next();
    plan->absorb(window.number, {ranked(window), 20});
  }
  plan->limit(0);
  EXPECT_EQ(plan->n_to_come(), 1U);
  EXPECT_EQ(plan->next()->items.front(), ItemId(0));
}

TEST(WindowPlan, AHigherLimitTakesInAgainWhatWasLeftOut) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTopDown}) {
    SCOPED_TRACE(to_string(method));
    const auto plan = *WindowPlan::create(best_last(100), {.method = method}, 2);
    const Window first_window = *plan->next();
    plan->absorb(first_window.number, {ranked(first_window), first_window.items.size()});
    plan->limit(100);
    EXPECT_GE(plan->n_to_come(), 6U);
    play(*plan);
    EXPECT_EQ(plan->order().at(Position(0)), ItemId(0));
    EXPECT_GE(plan->verified(), 1U);
  }
}

TEST(WindowPlan, ALimitThatIsRaisedALittleRepeatsNothing) {
  const auto plan = *WindowPlan::create(Ranking::identity(100), {}, 3);
  const Window first_window = *plan->next();
  plan->absorb(first_window.number, {ranked(first_window), 20});
  plan->limit(3);  // as many as are left, and one that couldn't begin further back
  EXPECT_EQ(plan->n_to_come(), 2U);
}

TEST(WindowPlan, TopDownKeepsNoWindowForWhatNothingIsComparedWith) {
  const auto plan =
      *WindowPlan::create(Ranking::identity(100), {.method = WindowMethod::kTopDown}, 1);
  EXPECT_EQ(plan->n_to_come(), 1U);
  plan->limit(2);
  EXPECT_EQ(play(*plan).windows.size(), 2U) << "the first, and a comparison";
  EXPECT_EQ(first(plan->order(), 11), numbers(11));
}

TEST(WindowPlan, WhereOneWindowIsAllThatIsRankedItsVerifiedPositionsAreTheLists) {
  for (const auto method :
       {WindowMethod::kSliding, WindowMethod::kTopDown, WindowMethod::kTournament}) {
    SCOPED_TRACE(to_string(method));
    for (const std::size_t verified : {1U, 14U}) {
      const auto plan = *WindowPlan::create(shuffled(100), {.method = method}, 1);
      const Window only = *plan->next();
      plan->absorb(only.number, {ranked(only), verified});
      EXPECT_FALSE(plan->next());
      EXPECT_EQ(plan->verified(), verified);
      EXPECT_EQ(plan->confirmed(), verified);
    }
  }
}

TEST(WindowPlan, FirstPlacesAfterTheFrontWindowAreSettledByThoseAfterIt) {
  const auto plan = *WindowPlan::create(shuffled(100), {.top_n = 35});
  std::vector<std::size_t> wanted;
  while (auto window = plan->next()) {
    wanted.push_back(window->wanted);
    plan->absorb(window->number, {ranked(*window), window->wanted});
  }
  // [80, 100) … [30, 50), [20, 40), [10, 30), [0, 20): the last three settle places among the
  // first 35.
  EXPECT_THAT(wanted, ElementsAre(10, 10, 10, 10, 10, 10, 15, 20, 20));
  EXPECT_EQ(plan->verified(), 35U);
}

TEST(WindowPlan, IsVerifiedOnlyWhereAllWindowsOnTheWayAre) {
  for (const auto method :
       {WindowMethod::kSliding, WindowMethod::kTopDown, WindowMethod::kTournament}) {
    SCOPED_TRACE(to_string(method));
    for (const bool doubtful : {false, true}) {
      const auto plan = *WindowPlan::create(best_last(100), {.method = method});
      bool is_first = true;
      while (auto window = plan->next()) {
        EXPECT_EQ(plan->verified(), 0U);
        const bool is_last = plan->n_to_come() == 0;
        const std::size_t enough = is_last ? 7 : window->items.size();
        plan->absorb(window->number, {ranked(*window), is_first && doubtful ? 3 : enough});
        is_first = false;
      }
      EXPECT_EQ(plan->verified(), doubtful ? 0U : 7U);
      EXPECT_EQ(plan->confirmed(), 7U);
    }
  }
}

TEST(WindowPlan, AComparisonIsExactOnlyIfThePivotItselfIsPlaced) {
  for (const std::size_t n_more : {0U, 1U}) {
    SCOPED_TRACE(n_more);
    const auto plan = *WindowPlan::create(best_last(100), {.method = WindowMethod::kTopDown});
    while (auto window = plan->next()) {
      std::size_t verified = window->items.size();
      if (window->pivot) {  // those above the pivot, and perhaps the pivot
        const auto above = std::ranges::count_if(
            window->items, [&](ItemId item) { return item < window->items.front(); });
        verified = static_cast<std::size_t>(above) + n_more;
        if (verified == 0) verified = 1;
      }
      plan->absorb(window->number, {ranked(*window), verified});
    }
    EXPECT_EQ(plan->verified() > 0, n_more == 1);
    EXPECT_GT(plan->confirmed(), 0U);
  }
}

TEST(WindowPlan, IsNotExactWhereAComparisonWasNotDecoded) {
  const auto plan = *WindowPlan::create(best_last(100), {.method = WindowMethod::kTopDown});
  bool was_left_out = false;
  while (auto window = plan->next()) {
    const bool leaves_out = window->pivot && !std::exchange(was_left_out, true);
    plan->absorb(window->number, {ranked(*window), leaves_out ? 0 : window->items.size()});
  }
  EXPECT_TRUE(was_left_out);
  EXPECT_EQ(plan->verified(), 0U);
  EXPECT_GT(plan->confirmed(), 0U);
}

// The windows after it are ranked again.
TEST(WindowPlan, APassBeforeTheLastSettlesNoMoreThanTheFrontWindow) {
  const auto plan = *WindowPlan::create(Ranking::identity(40), {.passes = 2});
  for (const std::size_t begin : {20U, 10U, 0U}) {
    const Window window = *plan->next();
    ASSERT_EQ(window.items.front(), ItemId(begin));
    plan->absorb(window.number, {ranked(window), 20});
  }
  EXPECT_EQ(plan->confirmed(), 20U);
  play(*plan);
  EXPECT_EQ(plan->confirmed(), 40U);
}

TEST(WindowPlan, WindowsThatComeBackSettleNoPlacesAfterTheFront) {
  const auto plan = *WindowPlan::create(Ranking::identity(100), {}, 1);
  const Window front = *plan->next();
  plan->absorb(front.number, {ranked(front), 14});
  ASSERT_EQ(plan->confirmed(), 14U);
  plan->limit(100);
  while (plan->n_to_come() > 1) {
    const Window window = *plan->next();
    plan->absorb(window.number, {ranked(window), 20});
    const auto begin = static_cast<std::size_t>(window.items.front().value());
    EXPECT_EQ(plan->confirmed(), std::min<std::size_t>(14, begin)) << begin;
  }
}

TEST(Merged, OrdersByHowFarDownItsOwnWindowTheMiddleOfAnItemsPlaceIs) {
  const ItemsByWindow orders{{0, {ItemId(10), ItemId(11)}},
                             {1, {ItemId(20), ItemId(21), ItemId(22), ItemId(23)}}};
  // 1/4 and 3/4 of one; 1/8, 3/8, 5/8 and 7/8 of the other.
  EXPECT_THAT(merged(orders),
              ElementsAre(ItemId(20), ItemId(10), ItemId(21), ItemId(22), ItemId(11), ItemId(23)));
}

TEST(WindowPlan, IsExactOnlyIfEachWindowIsVerifiedAsFarAsOthersSeeIt) {
  for (const auto method : {WindowMethod::kSliding, WindowMethod::kTournament}) {
    for (const std::size_t n_less : {0U, 1U}) {
      SCOPED_TRACE(testing::Message() << to_string(method) << " " << n_less);
      const auto plan = *WindowPlan::create(shuffled(100), {.method = method});
      while (auto window = plan->next()) {
        const std::size_t verified = window->wanted - (window->is_last ? 0 : n_less);
        plan->absorb(window->number, {ranked(*window), verified});
      }
      EXPECT_EQ(plan->verified() > 0, n_less == 0);
      EXPECT_GE(plan->confirmed(), 20U);
    }
  }
}

TEST(WindowPlan, OptionsOutOfRangeAreNamed) {
  const auto message = [](const WindowOptions& options) {
    return std::string(check(options).error().message());
  };
  EXPECT_THAT(message({.size = 1}), HasSubstr("window 1 is not at least 2"));
  EXPECT_THAT(message({.stride = 20}), HasSubstr("stride 20 is not between 1 and 19"));
  EXPECT_THAT(message({.passes = 0}), HasSubstr("passes 0"));
  EXPECT_THAT(message({.method = WindowMethod::kTopDown, .pool = 1}), HasSubstr("pool 1"));
  for (const std::size_t pivot : {0U, 20U})
    EXPECT_THAT(message({.method = WindowMethod::kTopDown, .pivot = pivot}),
                HasSubstr("pivot " + std::to_string(pivot) + " is not between 1 and 19"));
  EXPECT_THAT(message({.method = WindowMethod::kTournament, .advance = 11}),
              HasSubstr("advance 11 is not between 1 and 10"));
  EXPECT_FALSE(parse_window_method("upside-down"));
}

TEST(WindowChoice, FillsInWhatNobodySaid) {
  const WindowOptions of_size = *window_options({.size = 12}, std::nullopt);
  EXPECT_EQ(of_size.method, WindowMethod::kSliding);
  EXPECT_EQ(of_size.stride, 6U);
  EXPECT_EQ(of_size.advance, 6U);
  EXPECT_EQ(window_options({}, 3)->advance, 3U);
}

TEST(WindowChoice, RefusesWhatTheMethodHasNoUseFor) {
  const auto message = [](const WindowChoice& choice) {
    return std::string(window_options(choice, std::nullopt).error().message());
  };
  EXPECT_THAT(message({.method = WindowMethod::kTopDown, .stride = 5}),
              HasSubstr("stride is not used by window method top-down"));
  EXPECT_THAT(message({.advance = 5}), HasSubstr("advance is not used by window method sliding"));
  EXPECT_THAT(message({.method = WindowMethod::kTournament, .pool = 5}), HasSubstr("pool is not"));
  EXPECT_THAT(message({.pivot = 5}), HasSubstr("pivot is not used by window method sliding"));
}

TEST(WindowChoice, LeavesOutWhatBelongsToAnotherMethodOrSize) {
  const WindowChoice other{.size = 40, .stride = 30, .passes = 2};
  const WindowChoice same = WindowChoice{}.over(other);
  EXPECT_EQ(same.stride, 30U);
  EXPECT_EQ(same.passes, 2U);
  const WindowChoice smaller = WindowChoice{.size = 10}.over(other);
  EXPECT_FALSE(smaller.stride);
  EXPECT_EQ(smaller.passes, 2U);
  const WindowChoice top_down = WindowChoice{.method = WindowMethod::kTopDown}.over(other);
  EXPECT_EQ(top_down.size, 40U);
  EXPECT_FALSE(top_down.passes);
  const WindowChoice with_pivot{.method = WindowMethod::kTopDown, .size = 40, .pivot = 30};
  EXPECT_EQ(WindowChoice{}.over(with_pivot).pivot, 30U);
  EXPECT_FALSE(WindowChoice{.size = 10}.over(with_pivot).pivot);
}

}  // namespace
}  // namespace rsd
