#include "rsd/train/ceiling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "rsd/decode/decoding.h"
#include "rsd/rank/agreement.h"
#include "rsd/train/collect.h"
#include "rsd/train/rollout.h"
#include "support/alternating_scorer.h"

namespace rsd {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

constexpr NetworkShape kShape{
    .d_model = 16, .n_heads = 2, .n_layers = 1, .d_feed_forward = 16, .input = {}};
constexpr std::size_t kItems = 9;

// A network in which every weight has an influence.
RelevanceNetwork random_agent() {
  RelevanceNetwork agent = RelevanceNetwork::untrained(kShape, 1).value();
  std::mt19937_64 random(5);
  for (float& weight : agent.weights())
    weight += std::normal_distribution<float>(0, 0.3F)(random);
  return agent;
}

double greedy_tau(const RelevanceNetwork& agent, PositionScorer& scorer, const Ranking& target,
                  std::size_t budget) {
  const Actor greedy{.agent = &agent};
  const RolloutOptions options{.budget = budget, .draft = default_draft(DecoderKind::kRsd, budget)};
  return kendall_tau(roll_out({&greedy, 1}, scorer, options)->front().answer, target);
}

TEST(RollOut, SamplesOnlyTheRankingsThatItIsToldTo) {
  const RelevanceNetwork agent = random_agent();
  AlternatingScorer scorer(3, kItems);
  const RolloutOptions options{.budget = 4};
  const Actor greedy{.agent = &agent};
  const auto likeliest = *roll_out({&greedy, 1}, scorer, options);
  std::set<std::vector<std::size_t>> first;
  std::set<std::vector<std::size_t>> second;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random(seed);
    const Actor actor{.agent = &agent, .random = &random, .first_sampled = 1, .end_sampled = 2};
    const auto played = *roll_out({&actor, 1}, scorer, options);
    first.insert(played[0].actions.at(0).ranking);
    second.insert(played[0].actions.at(1).ranking);
  }
  EXPECT_THAT(first, SizeIs(1));
  EXPECT_EQ(*first.begin(), likeliest[0].actions[0].ranking);
  EXPECT_GT(second.size(), 3);
}

TEST(MeasureCeiling, BeginsWithTheGreedyPlayAndIsNeverBelowIt) {
  const RelevanceNetwork agent = random_agent();
  bool gains = false;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    AlternatingScorer scorer(seed, kItems);
    const Ranking target = *target_ranking(scorer);
    for (const std::size_t budget : {2U, 3U, 4U}) {
      const auto ceiling = measure_ceiling(agent, scorer, target, {.budget = budget});
      ASSERT_TRUE(ceiling);
      EXPECT_EQ(ceiling->greedy, greedy_tau(agent, scorer, target, budget));
      ASSERT_THAT(ceiling->best_by_round, SizeIs(budget - 1));
      ASSERT_THAT(ceiling->mean_by_round, SizeIs(budget - 1));
      double best = ceiling->greedy;
      for (std::size_t round = 0; round + 1 < budget; ++round) {
        EXPECT_GE(ceiling->best_by_round[round], ceiling->mean_by_round[round]);
        best = std::max(best, ceiling->best_by_round[round]);
      }
      EXPECT_EQ(ceiling->best, best);
      gains = gains || ceiling->best > ceiling->greedy;
    }
  }
  EXPECT_TRUE(gains);
}

TEST(MeasureCeiling, MoreSamplesGainAtLeastAsMuch) {
  const RelevanceNetwork agent = random_agent();
  AlternatingScorer scorer(2, kItems);
  const Ranking target = *target_ranking(scorer);
  double before = -1;
  for (const std::size_t samples : {1U, 20U, 100U}) {  // more than are played at once, too
    const auto ceiling = measure_ceiling(agent, scorer, target, {.budget = 2, .samples = samples});
    EXPECT_GE(ceiling->best, before) << samples;
    before = ceiling->best;
  }
  EXPECT_EQ(*measure_ceiling(agent, scorer, target, {.seed = 7}),
            *measure_ceiling(agent, scorer, target, {.seed = 7}));
}

TEST(MeasureCeiling, OfAnAgentThatIsRightIsOne) {
  const RelevanceNetwork agent = random_agent();
  AlternatingScorer scorer(2, 2);  // two items: the first row makes both known
  const Ranking target = *target_ranking(scorer);
  const auto ceiling = measure_ceiling(agent, scorer, target, {.budget = 3});
  EXPECT_EQ(ceiling->greedy, 1);
  EXPECT_EQ(ceiling->best, 1);
  EXPECT_THAT(ceiling->mean_by_round, Each(1));
}

}  // namespace
}  // namespace rsd
