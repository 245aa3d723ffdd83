#include "rsd/agent/agent_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "support/decoded_history.h"

namespace rsd {
namespace {

RelevanceNetwork random_network(const InputOptions& input = {}) {
  RelevanceNetwork network =
      RelevanceNetwork::untrained({.d_model = 8, .n_heads = 2, .d_feed_forward = 6, .input = input},
                                  1)
          .value();
  std::mt19937 random(7);
  for (float& weight : network.weights())
    weight += 0.2F * (static_cast<float>(random() % 2001) / 1000 - 1);
  return network;
}

TEST(AgentPolicy, GivesOpenItemsTheNetworksScoresAndKnownOnesNone) {
  const History history = decoded_history(9, 3, 5);
  for (const InputOptions& options : {InputOptions{}, InputOptions{.listwise = false}}) {
    const RelevanceNetwork network = random_network(options);
    for (const auto left : {std::optional<std::size_t>(), std::optional<std::size_t>(0),
                            std::optional<std::size_t>(2)}) {
      const AgentInput input = agent_input(history, left, options);
      const auto expected = network.scores({&input, 1}).front();
      const auto scores = agent_policy(network)->score(history, left).value();
      ASSERT_EQ(scores.size(), 9U);
      for (std::size_t i = 0; i < input.n_items(); ++i)
        EXPECT_EQ(scores[input.items[i].slot()], expected[i]);
      for (const ItemId item : history.known())
        EXPECT_EQ(scores[item.slot()], 0);
    }
  }
}

TEST(AgentPolicy, ScoresThatAreNotFiniteAreAnError) {
  RelevanceNetwork broken = random_network();
  broken.weights().back() = std::numeric_limits<float>::max();
  for (float& weight : broken.weights())
    weight = weight * 1e30F;
  const auto scores = agent_policy(broken)->score(decoded_history(9, 2, 5), 1);
  ASSERT_FALSE(scores);
  EXPECT_EQ(scores.error().code(), ErrorCode::kRuntime);
}

TEST(AgentPolicy, ListsLongerThanItWasTrainedOnAreOrderedByBlend) {
  const auto policy = agent_policy(random_network());
  const History longest = decoded_history(kMostAgentItems, 1, 5);
  EXPECT_NE(policy->score(longest, 1).value(), blend_policy()->score(longest, 1).value());
  const History longer = decoded_history(kMostAgentItems + 1, 1, 5);
  EXPECT_EQ(policy->score(longer, 1).value(), blend_policy()->score(longer, 1).value());
}

TEST(AgentPolicy, HasTheNameThatItWasGiven) {
  EXPECT_EQ(agent_policy(random_network())->name(), kAgentPolicy);
  EXPECT_EQ(agent_policy(random_network(), "other")->name(), "other");
}

}  // namespace
}  // namespace rsd
