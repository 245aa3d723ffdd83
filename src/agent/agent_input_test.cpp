#include "rsd/agent/agent_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "rsd/decode/replay.h"
#include "support/agent_feature.h"
#include "support/decoded_history.h"

namespace rsd {
namespace {

using ::testing::FloatNear;
using ::testing::Pointwise;

// Mean 0, variance 1.
std::vector<float> standardised(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double variance = 0;
  for (const double value : values)
    variance += (value - mean) * (value - mean) / count;
  std::vector<float> result;
  for (const double value : values)
    result.push_back(static_cast<float>((value - mean) / std::sqrt(variance)));
  return result;
}

// Of item `i` of the input among all of them, at the first disagreement of the round.
double first_log_prob(const Round& round, const AgentInput& input, std::size_t i) {
  const auto row = round.logits.row(round.accepted);
  double sum = 0;
  for (const ItemId item : input.items)
    sum += std::exp(row[item.slot()]);
  return row[input.items[i].slot()] - std::log(sum);
}

TEST(AgentInput, TellsHowManyEncodingsAreLeft) {
  const History history = decoded_history(8, 2, 3);
  for (const std::size_t left : {0U, 1U, 2U, 3U, 4U, 9U}) {
    const AgentInput input = agent_input(history, left, {});
    for (std::size_t i = 0; i < input.n_items(); ++i) {
      EXPECT_EQ(feature(input, 1, i, "encodings left"),
                static_cast<float>(std::min<std::size_t>(left, 4)) / 4);
      EXPECT_EQ(feature(input, 1, i, "no budget"), 0);
      EXPECT_EQ(feature(input, 1, i, "answer"), left == 0 ? 1 : 0);
    }
  }
  const AgentInput unlimited = agent_input(history, std::nullopt, {});
  EXPECT_EQ(feature(unlimited, 0, 0, "encodings left"), 0);
  EXPECT_EQ(feature(unlimited, 0, 0, "no budget"), 1);
  EXPECT_EQ(feature(unlimited, 0, 0, "answer"), 0);
}

TEST(AgentInput, LooksAtTheLastRoundsOldestFirst) {
  const History history = decoded_history(14, 4, 3, Draft::kFirstToken);
  ASSERT_EQ(history.rounds().size(), 4U);
  const AgentInput input = agent_input(history, 1, {.max_rounds = 3});
  ASSERT_EQ(input.n_rounds, 3U);
  for (std::size_t t = 0; t < 3; ++t) {
    const Round& round = history.rounds()[t + 1];
    for (std::size_t i = 0; i < input.n_items(); ++i) {
      const double expected = std::clamp(first_log_prob(round, input, i) / 3, -4.0, 4.0);
      EXPECT_NEAR(feature(input, t, i, "first row"), expected, 1e-5) << "round " << t;
    }
    EXPECT_EQ(feature(input, t, 0, "rounds ago"), static_cast<float>(2 - t) / 4);
    EXPECT_EQ(feature(input, t, 0, "last round"), t == 2 ? 1 : 0);
    EXPECT_EQ(feature(input, t, 0, "without proposal"), 0);
  }
  const AgentInput all = agent_input(history, 1, {});
  EXPECT_EQ(feature(all, 0, 0, "without proposal"), 1) << "the first is the prompt alone";
}

TEST(AgentInput, TellsHowMuchIsKnownAndHowSureTheLlmIs) {
  const History history = decoded_history(10, 2, 5);
  const AgentInput input = agent_input(history, 1, {});
  const auto n = static_cast<float>(input.n_items());
  EXPECT_FLOAT_EQ(feature(input, 1, 0, "items"), std::log2(n) / 4);
  EXPECT_FLOAT_EQ(feature(input, 1, 0, "share known"), 1 - n / 10);
  const Round& round = history.rounds()[1];
  double entropy = 0;
  for (std::size_t i = 0; i < input.n_items(); ++i) {
    const double log_prob = first_log_prob(round, input, i);
    entropy -= std::exp(log_prob) * log_prob;
  }
  EXPECT_NEAR(feature(input, 1, 0, "entropy"), entropy / std::log(n), 1e-5);
  EXPECT_GT(feature(input, 1, 0, "mean entropy"), 0);
  EXPECT_LT(feature(input, 1, 0, "mean entropy"), 1);
}

// Where each of the open items stands in `order`, and what follows from it: -1 best, 1 worst.
std::vector<float> ranks(const std::vector<ItemId>& order, const AgentInput& input) {
  std::vector<ItemId> open;
  for (const ItemId item : order)
    if (std::ranges::find(input.items, item) != input.items.end()) open.push_back(item);
  std::vector<float> result;
  for (const ItemId item : input.items) {
    const auto place = static_cast<float>(std::ranges::find(open, item) - open.begin());
    result.push_back(2 * place / static_cast<float>(open.size() - 1) - 1);
  }
  return result;
}

TEST(AgentInput, TellsWhereTheProposalAndTheReplayPutEachItem) {
  const History history = decoded_history(10, 3, 7);
  const AgentInput input = agent_input(history, 1, {});
  const auto rows = distinct_rows(history.rounds());
  const auto proposed = ranks(history.rounds().back().proposal, input);
  const auto usual = ranks(replay(rows, history.known()).order, input);
  const auto broad = ranks(replay(rows, history.known(), {.sharpness = 0.4}).order, input);
  const auto sharp = ranks(replay(rows, history.known(), {.sharpness = 2.5}).order, input);
  for (std::size_t i = 0; i < input.n_items(); ++i) {
    EXPECT_FLOAT_EQ(feature(input, 2, i, "proposed, rank"), proposed[i]);
    EXPECT_FLOAT_EQ(feature(input, 2, i, "replay, rank"), usual[i]);
    EXPECT_FLOAT_EQ(feature(input, 2, i, "replay, broad rank"), broad[i]);
    EXPECT_FLOAT_EQ(feature(input, 2, i, "replay, sharp rank"), sharp[i]);
  }
}

TEST(AgentInput, BaseAddsUpTheReplayAndTheBlend) {
  const History history = decoded_history(12, 3, 9);
  const AgentInput input = agent_input(history, 1, {});
  const auto blend = blend_policy()->score(history, 1).value();
  const auto order = replay(distinct_rows(history.rounds()), history.known()).order;
  std::vector<double> expected;
  for (const ItemId item : input.items) {
    const auto place = static_cast<double>(std::ranges::find(order, item) - order.begin());
    expected.push_back(blend[item.slot()] - 3.4 * place);
  }
  EXPECT_THAT(input.base, Pointwise(FloatNear(1e-5F), standardised(expected)));
}

TEST(AgentInput, BaseWithoutListwiseKnowledgeIsTheFirstDisagreementsRow) {
  const History history = decoded_history(12, 3, 9);
  const AgentInput input = agent_input(history, 1, {.listwise = false});
  const Round& last = history.rounds().back();
  std::vector<double> expected;
  for (const ItemId item : input.items)
    expected.push_back(last.logits.row(last.accepted)[item.slot()]);
  EXPECT_THAT(input.base, Pointwise(FloatNear(1e-5F), standardised(expected)));
}

// As `exact` has them: the last round verified a few positions only, and the rows behind these are
// of the round before it, here with the LLM's logits turned round there or not.
History after_a_short_round(bool turned) {
  const SyntheticScorer scorer = noisy_scorer(9, 21);
  History history(9);
  std::vector<ItemId> first;
  for (std::size_t i = 0; i < 9; ++i)
    first.emplace_back(i);
  LogitMatrix rows = rows_of(scorer, first, 9);
  History probe(9);
  EXPECT_TRUE(probe.add(first, {0, 9}, rows));
  const std::size_t accepted = probe.rounds().front().accepted;
  for (std::size_t j = accepted + 1; turned && j < 9; ++j)
    std::ranges::reverse(rows.row(j));
  EXPECT_TRUE(history.add(first, {0, 9}, rows));
  const auto proposal = scorer.target();
  const RowRange few = history.missing_rows(proposal, history.known().size() + 2);
  const LogitMatrix all = rows_of(scorer, proposal, few.end);
  LogitMatrix missing(few.size(), 9);
  for (std::size_t j = 0; j < few.size(); ++j)
    std::ranges::copy(all.row(few.first + j), missing.row(j).begin());
  EXPECT_TRUE(history.add(proposal, few, missing));
  return history;
}

TEST(AgentInput, AblatedAgentsSeeNothingOfEarlierRounds) {
  const History one = after_a_short_round(false);
  const History other = after_a_short_round(true);
  ASSERT_GE(one.n_items() - one.known().size(), 3U);
  EXPECT_NE(agent_input(one, 1, {}).base, agent_input(other, 1, {}).base);
  for (const InputOptions& ablated :
       {InputOptions{.round_history = false}, InputOptions{.listwise = false}}) {
    const AgentInput input = agent_input(one, 1, ablated);
    const AgentInput expected = agent_input(other, 1, ablated);
    EXPECT_EQ(input.items, expected.items);
    EXPECT_EQ(input.features, expected.features);
    EXPECT_EQ(input.pairs, expected.pairs);
    EXPECT_EQ(input.base, expected.base);
  }
}

}  // namespace
}  // namespace rsd
