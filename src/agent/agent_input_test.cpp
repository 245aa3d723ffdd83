#include "rsd/agent/agent_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "agent/round_view.h"
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

// The log-probability of the input's item `i` among all items, at the first disagreement of the
// round.
double first_log_prob(const Round& round, const AgentInput& input, std::size_t i) {
  const auto row = round.logits.row(round.accepted);
  double sum = 0;
  for (const ItemId item : input.items)
    sum += std::exp(row[item.slot()]);
  return row[input.items[i].slot()] - std::log(sum);
}

TEST(AgentInput, HasTheNumberOfEncodingsLeft) {
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

TEST(AgentInput, PairsHaveTheAgeOfTheirRoundAndTheOpenShareOfTheItems) {
  const History history = decoded_history(24, 12, 3);
  ASSERT_EQ(history.rounds().size(), 12U);
  const AgentInput input = agent_input(history, 1, {.max_rounds = 11});
  ASSERT_EQ(input.n_rounds, 11U);
  const std::size_t n = input.n_items();
  ASSERT_LT(n, 24U);
  for (std::size_t t = 0; t < input.n_rounds; ++t) {
    const std::size_t age = 10 - t;
    for (const std::size_t b : {std::size_t{0}, n - 1}) {
      EXPECT_EQ(pair_feature(input, t, 0, b, "rounds ago"),
                static_cast<float>(std::min<std::size_t>(age, 8)) / 4);
      EXPECT_EQ(pair_feature(input, t, 0, b, "last round"), age == 0 ? 1 : 0);
      EXPECT_FLOAT_EQ(pair_feature(input, t, 0, b, "share open"), static_cast<float>(n) / 24);
    }
  }
}

TEST(AgentInput, HasHowMuchIsKnownAndHowSureTheLlmIs) {
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

// The place of each pending item in `order`, scaled: -1 best, 1 worst.
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

TEST(AgentInput, HasWhereTheProposalAndTheReplayPutEachItem) {
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

// The features of one item in one round as their names say, the plainest way.
class PlainItem {
 public:
  PlainItem(const RoundView& view, std::size_t item) : view_(view), item_(item) {}

  std::map<std::string, float> features() const {
    std::map<std::string, float> values{
        {"mean", scaled(mean_log_prob())},
        {"choice", scaled(choice(1))},
        {"choice, late", scaled(choice(0.4))},
        {"own row", is_left_at_its_own() ? scaled(view_.choice_log_prob(own(), item_)) : 0},
        {"own row, margin", is_left_at_its_own()
                                ? scaled(static_cast<double>(view_.logit(own(), item_)) -
                                         view_.strongest_rival(own(), item_))
                                : 0},
        {"row before", at_row_of_neighbour(-1)},
        {"two rows before", at_row_of_neighbour(-2)},
        {"next item", next_item()},
        {"preferred", preferred(0.4, 0.5)},
        {"preferred, all rows", preferred(1, 0.5)},
        {"preferred, soft", preferred(0.4, 2)}};
    for (std::size_t band = 0; band < 6; ++band)
      add_band(band, values);
    return values;
  }

 private:
  static float scaled(double nats) { return static_cast<float>(std::clamp(nats / 3, -4.0, 4.0)); }
  std::size_t own() const { return view_.own_row(item_); }
  bool is_left_at_its_own() const { return view_.is_left(own(), item_); }

  double mean_log_prob() const {
    double sum = 0;
    for (std::size_t row = 0; row < view_.n_rows(); ++row)
      sum += view_.log_prob(row, item_);
    return sum / static_cast<double>(view_.n_rows());
  }
  double choice(double recency) const {
    double sum = 0;
    double weights = 0;
    for (std::size_t row = 0; row < view_.n_rows(); ++row) {
      if (!view_.is_left(row, item_)) continue;
      sum = recency * sum + view_.choice_log_prob(row, item_);
      weights = recency * weights + 1;
    }
    return weights > 0 ? sum / weights : 0;
  }
  float difference(std::size_t row, std::size_t a, std::size_t b) const {
    return scaled(static_cast<double>(view_.logit(row, a)) - view_.logit(row, b));
  }
  float at_row_of_neighbour(int distance) const {
    const int place = static_cast<int>(view_.place(item_)) + distance;
    if (!view_.has_proposal() || place < 0) return 0;
    const std::size_t owner = view_.item_at(static_cast<std::size_t>(place));
    return difference(view_.own_row(owner), item_, owner);
  }
  float next_item() const {
    const std::size_t place = view_.place(item_) + 1;
    if (!view_.has_proposal() || place == view_.n_items()) return 0;
    return difference(own(), view_.item_at(place), item_);
  }
  float preferred(double recency, double temperature) const {
    double sum = 0;
    for (std::size_t other = 0; other < view_.n_items(); ++other)
      sum += std::tanh(Margins(view_, recency)(item_, other) / temperature);
    return static_cast<float>(sum / static_cast<double>(view_.n_items() - 1));
  }
  void add_band(std::size_t band, std::map<std::string, float>& values) const {
    double all = 0;
    double left = 0;
    double weights = 0;
    double weights_left = 0;
    for (std::size_t row = 0; row < view_.n_rows(); ++row) {
      const double where = view_.n_rows() > 1
                               ? static_cast<double>(row) / static_cast<double>(view_.n_rows() - 1)
                               : 0;
      const double weight = std::exp(-std::pow(5 * where - static_cast<double>(band), 2));
      all += weight * view_.log_prob(row, item_);
      weights += weight;
      if (!view_.is_left(row, item_)) continue;
      left += weight * view_.choice_log_prob(row, item_);
      weights_left += weight;
    }
    const std::string number = " " + std::to_string(band + 1);
    values["all rows" + number] = scaled(all / weights);
    values["rows left" + number] = weights_left > 1e-3 ? scaled(left / weights_left) : 0;
    values["row is left" + number] = static_cast<float>(weights_left / weights);
  }

  const RoundView& view_;
  std::size_t item_;
};

TEST(AgentInput, FeaturesOfAnItemAreWhatTheirNamesSay) {
  const History history = decoded_history(12, 3, 5, Draft::kFirstToken);
  const AgentInput input = agent_input(history, 1, {});
  for (std::size_t t = 0; t < 3; ++t) {
    const RoundView view(history.rounds()[t], input.items, 12);
    for (std::size_t i = 0; i < input.n_items(); ++i)
      for (const auto& [name, expected] : PlainItem(view, i).features())
        EXPECT_NEAR(feature(input, t, i, name), expected, 1e-4)
            << name << " of " << i << ", round " << t;
  }
}

TEST(AgentInput, HasWhereTakingTheBestRowByRowPutsEachItem) {
  const History history = decoded_history(10, 2, 7);
  const AgentInput input = agent_input(history, 1, {});
  const Round& round = history.rounds()[1];
  std::vector<bool> placed = history.placed();
  std::vector<ItemId> order;
  for (std::size_t j = round.accepted; order.size() < input.n_items(); ++j) {
    order.push_back(masked_argmax(round.logits.row(std::min<std::size_t>(j, 9)), placed));
    placed[order.back().slot()] = true;
  }
  const auto expected = ranks(order, input);
  for (std::size_t i = 0; i < input.n_items(); ++i)
    EXPECT_FLOAT_EQ(feature(input, 1, i, "argmax, rank"), expected[i]);
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

// Rounds as in `exact`: the last one verified only a few positions, so the rows after these are of
// the round before it, here optionally with reversed logits.
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
