#include "rsd/agent/relevance_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <random>

#include "support/decoded_history.h"

namespace rsd {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

AgentInput input_of(std::size_t n_items, std::size_t n_rounds, std::uint64_t seed) {
  return agent_input(decoded_history(n_items, n_rounds, seed), 1, {});
}

const NetworkShape kSmall{
    .d_model = 8, .n_heads = 2, .n_layers = 2, .d_feed_forward = 6, .d_pair = 5, .input = {}};

// A network whose weights are all random, so that every part of it matters.
RelevanceNetwork random_network(const NetworkShape& shape = {}) {
  RelevanceNetwork network = RelevanceNetwork::untrained(shape, 1).value();
  std::mt19937 random(20261124);
  for (float& weight : network.weights())
    weight += 0.2F * (static_cast<float>(random() % 2001) / 1000 - 1);
  return network;
}

// Item i of the input becomes item order[i].
AgentInput permuted(const AgentInput& input, const std::vector<std::size_t>& order) {
  AgentInput result = input;
  const std::size_t n = input.n_items();
  const std::size_t n_features = feature_names().size();
  const std::size_t n_pair = pair_feature_names().size();
  for (std::size_t i = 0; i < n; ++i) {
    result.base[order[i]] = input.base[i];
    for (std::size_t t = 0; t < input.n_rounds; ++t) {
      std::copy_n(&input.features[(t * n + i) * n_features], n_features,
                  &result.features[(t * n + order[i]) * n_features]);
      for (std::size_t other = 0; other < n; ++other) {
        std::copy_n(&input.pairs[((t * n + i) * n + other) * n_pair], n_pair,
                    &result.pairs[((t * n + order[i]) * n + order[other]) * n_pair]);
      }
    }
  }
  return result;
}

TEST(RelevanceNetwork, UntrainedRanksAsTheHeuristic) {
  const RelevanceNetwork network = RelevanceNetwork::untrained({}, 1).value();
  const AgentInput input = input_of(12, 2, 3);
  const auto scores = network.scores({&input, 1}).front();
  for (std::size_t i = 0; i < scores.size(); ++i)
    EXPECT_NEAR(scores[i], 2 * input.base[i], 1e-5);
}

TEST(RelevanceNetwork, PermutedItemsGetPermutedScores) {
  const RelevanceNetwork network = random_network();
  const AgentInput input = input_of(10, 3, 5);
  std::vector<std::size_t> order(input.n_items());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random(7);
  std::ranges::shuffle(order, random);
  const AgentInput shuffled = permuted(input, order);
  const auto scores = network.scores({&input, 1}).front();
  const auto of_shuffled = network.scores({&shuffled, 1}).front();
  for (std::size_t i = 0; i < order.size(); ++i)
    EXPECT_NEAR(of_shuffled[order[i]], scores[i], 1e-4) << "item " << i;
}

TEST(RelevanceNetwork, InputsOfABatchDoNotTouchEachOther) {
  const RelevanceNetwork network = random_network();
  const std::vector<AgentInput> inputs{input_of(20, 1, 1), input_of(8, 4, 2), input_of(11, 2, 3),
                                       input_of(4, 1, 4)};
  const auto together = network.scores(inputs);
  for (std::size_t b = 0; b < inputs.size(); ++b) {
    const auto alone = network.scores({&inputs[b], 1}).front();
    EXPECT_THAT(together[b], Pointwise(DoubleNear(1e-4), alone)) << "input " << b;
  }
}

TEST(RelevanceNetwork, ManyItemsAndRoundsGoWithTheSameWeights) {
  const RelevanceNetwork network = random_network();
  for (const std::size_t n_items : {6U, 7U, 50U, 128U}) {
    const AgentInput input = agent_input(decoded_history(n_items, 1, 9), std::nullopt, {});
    const auto scores = network.scores({&input, 1}).front();
    EXPECT_EQ(scores.size(), input.n_items());
    EXPECT_TRUE(std::ranges::all_of(scores, [](double s) { return std::isfinite(s); }));
  }
}

TEST(RelevanceNetwork, EveryWeightMatters) {
  RelevanceNetwork network = random_network(kSmall);
  const AgentInput input = input_of(6, 3, 5);
  const auto before = network.scores({&input, 1}).front();
  for (const WeightTensor& tensor : network.tensors()) {
    float& weight = network.weights()[tensor.offset];
    const float at = weight;
    weight += 0.5F;
    EXPECT_NE(network.scores({&input, 1}).front(), before) << tensor.name;
    weight = at;
  }
}

// The gradient of a sum of the scores with random slopes.
TEST(RelevanceNetwork, GradientsAreThoseOfFiniteDifferences) {
  RelevanceNetwork network = random_network(kSmall);
  const std::vector<AgentInput> inputs{input_of(10, 3, 5), input_of(7, 1, 9)};
  std::vector<std::vector<double>> slopes;
  for (const AgentInput& input : inputs) {
    slopes.emplace_back();
    for (std::size_t i = 0; i < input.n_items(); ++i)
      slopes.back().push_back(std::sin(static_cast<double>(3 * i + 1)));
  }
  const auto loss = [&] {
    const auto scores = network.scores(inputs);
    double sum = 0;
    for (std::size_t b = 0; b < scores.size(); ++b)
      sum += std::inner_product(scores[b].begin(), scores[b].end(), slopes[b].begin(), 0.0);
    return sum;
  };
  const auto gradient = network.gradient(inputs, slopes);
  ASSERT_EQ(gradient.size(), network.weights().size());
  double largest = 0;
  for (const WeightTensor& tensor : network.tensors()) {
    double largest_here = 0;
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      constexpr float kStep = 3e-3F;
      float& weight = network.weights()[tensor.offset + i];
      const float at = weight;
      weight = at + kStep;
      const double above = loss();
      weight = at - kStep;
      const double slope = (above - loss()) / (2 * static_cast<double>(kStep));
      weight = at;
      const double expected = gradient[tensor.offset + i];
      EXPECT_NEAR(slope, expected, 5e-3 * (1 + std::abs(expected))) << tensor.name << " " << i;
      largest_here = std::max(largest_here, std::abs(expected));
    }
    EXPECT_GT(largest_here, 1e-3) << tensor.name << " gets no gradient";
    largest = std::max(largest, largest_here);
  }
  EXPECT_GT(largest, 0.1);
}

// tests/fixtures/agent.json is by tools/make_agent_fixtures.py: the same formulas in PyTorch.
class NetworkFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file("tests/fixtures/agent.json");
    ASSERT_TRUE(file);
    fixture_ = nlohmann::json::parse(file);
    const NetworkShape shape{.d_model = fixture_["d_model"],
                             .n_heads = fixture_["n_heads"],
                             .n_layers = fixture_["n_layers"],
                             .d_feed_forward = fixture_["d_feed_forward"],
                             .d_pair = fixture_["d_pair"],
                             .input = {}};
    network_.emplace(RelevanceNetwork::untrained(shape, 1).value());
    ASSERT_EQ(network_->tensors().size(), fixture_["weights"].size());
    for (const WeightTensor& tensor : network_->tensors()) {
      const auto values = floats(fixture_["weights"][tensor.name]);
      ASSERT_EQ(values.size(), tensor.size()) << tensor.name;
      std::ranges::copy(values, network_->weights().begin() + std::ptrdiff_t(tensor.offset));
    }
    for (const auto& of : fixture_["inputs"]) {
      AgentInput input{.items = std::vector<ItemId>(of["n_items"].get<std::size_t>(), ItemId(0)),
                       .n_rounds = of["n_rounds"],
                       .features = floats(of["features"]),
                       .pairs = floats(of["pairs"]),
                       .base = floats(of["base"])};
      inputs_.push_back(std::move(input));
      slopes_.push_back(of["slopes"].get<std::vector<double>>());
      scores_.push_back(of["scores"].get<std::vector<double>>());
    }
  }

  static std::vector<float> floats(const nlohmann::json& list) {
    return list.get<std::vector<float>>();
  }

  nlohmann::json fixture_;
  std::optional<RelevanceNetwork> network_;
  std::vector<AgentInput> inputs_;
  std::vector<std::vector<double>> slopes_;
  std::vector<std::vector<double>> scores_;
};

TEST_F(NetworkFixture, ScoresAreThoseOfTheIndependentImplementation) {
  const auto scores = network_->scores(inputs_);
  for (std::size_t b = 0; b < inputs_.size(); ++b)
    EXPECT_THAT(scores[b], Pointwise(DoubleNear(1e-4), scores_[b])) << "input " << b;
}

TEST_F(NetworkFixture, GradientsAreThoseOfTheIndependentImplementation) {
  const auto gradient = network_->gradient(inputs_, slopes_);
  for (const WeightTensor& tensor : network_->tensors()) {
    const auto expected = floats(fixture_["gradients"][tensor.name]);
    ASSERT_EQ(expected.size(), tensor.size()) << tensor.name;
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      EXPECT_NEAR(gradient[tensor.offset + i], expected[i], 1e-3 * (1 + std::abs(expected[i])))
          << tensor.name << " " << i;
    }
  }
}

TEST(RelevanceNetwork, ShapesOutOfRangeAreErrors) {
  const auto message = [](std::size_t NetworkShape::*field, std::size_t value) {
    NetworkShape shape;
    shape.*field = value;
    const auto network = RelevanceNetwork::untrained(shape, 1);
    return network ? std::string() : network.error().message();
  };
  EXPECT_THAT(message(&NetworkShape::d_model, 0), HasSubstr("d_model is 0; it must be 1 to 1024"));
  EXPECT_THAT(message(&NetworkShape::d_model, 10), HasSubstr("multiple of n_heads, 4"));
  EXPECT_THAT(message(&NetworkShape::n_layers, 33), HasSubstr("n_layers is 33"));
}

class AgentInputOfDraft : public ::testing::TestWithParam<Draft> {};
INSTANTIATE_TEST_SUITE_P(Drafts, AgentInputOfDraft,
                         ::testing::Values(Draft::kFirstToken, Draft::kInput));

TEST_P(AgentInputOfDraft, DoesNotDependOnTheOrderOfTheItems) {
  // The synthetic LLM knows its items by number, so renumber a finished history by hand.
  const History history = decoded_history(6, 2, 11, GetParam());
  const std::vector<std::size_t> order{3, 0, 5, 1, 4, 2};
  History renumbered(6);
  for (const Round& round : history.rounds()) {
    std::vector<ItemId> proposal;
    for (const ItemId item : round.proposal)
      proposal.emplace_back(order[item.slot()]);
    LogitMatrix logits(round.logits.n_rows(), 6);
    for (std::size_t j = 0; j < logits.n_rows(); ++j)
      for (std::size_t i = 0; i < 6; ++i)
        logits.row(j)[order[i]] = round.logits.row(j)[i];
    const RowRange rows = renumbered.missing_rows(proposal, logits.n_rows());
    LogitMatrix missing(rows.size(), 6);
    for (std::size_t j = 0; j < rows.size(); ++j)
      std::ranges::copy(logits.row(rows.first + j), missing.row(j).begin());
    ASSERT_TRUE(renumbered.add(proposal, rows, missing));
  }
  const AgentInput input = agent_input(history, 1, {});
  const AgentInput other = agent_input(renumbered, 1, {});
  ASSERT_EQ(other.n_items(), input.n_items());
  std::vector<std::size_t> places(input.n_items());
  for (std::size_t i = 0; i < places.size(); ++i) {
    const ItemId item(order[input.items[i].slot()]);
    places[i] =
        static_cast<std::size_t>(std::ranges::find(other.items, item) - other.items.begin());
  }
  const AgentInput expected = permuted(input, places);
  EXPECT_THAT(other.features, Pointwise(::testing::FloatNear(1e-5F), expected.features));
  EXPECT_THAT(other.pairs, Pointwise(::testing::FloatNear(1e-5F), expected.pairs));
  EXPECT_THAT(other.base, Pointwise(::testing::FloatNear(1e-5F), expected.base));
}

TEST(AgentInput, KeepsItsPromisedRanges) {
  for (const Draft draft : {Draft::kInput, Draft::kFirstToken}) {
    for (std::size_t n_rounds = 1; n_rounds < 9; ++n_rounds) {
      const AgentInput input = agent_input(decoded_history(20, n_rounds, 13, draft), 0, {});
      EXPECT_LE(input.n_rounds, 6U);
      EXPECT_EQ(input.features.size(), input.n_rounds * input.n_items() * feature_names().size());
      EXPECT_THAT(input.features,
                  ::testing::Each(::testing::AllOf(::testing::Ge(-4), ::testing::Le(4))));
      EXPECT_EQ(input.pairs.size(),
                input.n_rounds * input.n_items() * input.n_items() * pair_feature_names().size());
      EXPECT_THAT(input.pairs,
                  ::testing::Each(::testing::AllOf(::testing::Ge(-2), ::testing::Le(2))));
    }
  }
}

TEST(AgentInput, AblationsLookAtLess) {
  const History history = decoded_history(10, 3, 17);
  EXPECT_EQ(agent_input(history, 1, {}).n_rounds, 3U);
  EXPECT_EQ(agent_input(history, 1, {.round_history = false}).n_rounds, 1U);
  EXPECT_EQ(agent_input(history, 1, {.listwise = false}).n_rounds, 1U);
  // Without listwise knowledge the rows after the first disagreement have no influence.
  History changed(10);
  const Round& first = history.rounds().front();
  LogitMatrix logits = first.logits;
  for (std::size_t j = first.accepted + 1; j < logits.n_rows(); ++j)
    std::ranges::reverse(logits.row(j));
  ASSERT_TRUE(changed.add(first.proposal, {0, logits.n_rows()}, logits));
  History same(10);
  ASSERT_TRUE(same.add(first.proposal, {0, logits.n_rows()}, first.logits));
  const auto features = [](const History& of, bool listwise) {
    return agent_input(of, 1, {.listwise = listwise}).features;
  };
  EXPECT_EQ(features(changed, false), features(same, false));
  EXPECT_NE(features(changed, true), features(same, true));
}

}  // namespace
}  // namespace rsd
