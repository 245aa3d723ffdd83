#include "rsd/train/rpo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <memory>

#include "rsd/agent/agent_policy.h"
#include "rsd/decode/run.h"
#include "rsd/rank/agreement.h"
#include "rsd/train/collect.h"
#include "rsd/train/rollout.h"
#include "rsd/train/supervised.h"
#include "support/alternating_scorer.h"

namespace rsd {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const NetworkShape kShape{
    .d_model = 16, .n_heads = 2, .n_layers = 1, .d_feed_forward = 16, .input = {}};
constexpr std::size_t kItems = 8;

RpoEnvironment environment(std::size_t n_requests) {
  return {.n_requests = n_requests,
          .open = [](std::size_t request) -> Result<std::unique_ptr<PositionScorer>> {
            return std::unique_ptr<PositionScorer>(
                std::make_unique<AlternatingScorer>(request, kItems));
          }};
}

RelevanceNetwork untrained() {
  return RelevanceNetwork::untrained(kShape, 1).value();
}

Trajectory greedy(const RelevanceNetwork& agent, PositionScorer& scorer,
                  const RolloutOptions& options) {
  const Actor actor{.agent = &agent};
  return roll_out({&actor, 1}, scorer, options).value().front();
}

// Of the greedy agent, on requests that were not trained on.
double mean_return(const RelevanceNetwork& agent) {
  constexpr std::size_t kRequests = 100;
  double sum = 0;
  for (std::size_t n = 0; n < kRequests; ++n) {
    AlternatingScorer scorer(100000 + n, kItems);
    auto decoding = Decoding::create(kItems, {.decoder = DecoderKind::kAr,
                                              .budget = std::nullopt,
                                              .draft = std::nullopt,
                                              .top_n = std::nullopt,
                                              .policy = nullptr})
                        .value();
    const Ranking target = run(decoding, scorer).value().ranking;
    sum += spearman_return(greedy(agent, scorer, {.budget = 2}).answer, target);
  }
  return sum / kRequests;
}

// Of traces of the same LLM, until it gains no more on requests that are held out.
RelevanceNetwork supervised_agent() {
  std::vector<Episode> episodes;
  for (std::size_t n = 0; n < 80; ++n) {
    AlternatingScorer scorer(n, kItems);
    Request request{.id = std::to_string(n), .query = "q"};
    const auto traces = collect(request, scorer, {.n_decodings = 2, .budget = 2}).value();
    for (const Trace& trace : traces)
      episodes.push_back(episode_of(trace).value());
  }
  SupervisedOptions options;
  options.steps = 400;
  options.learning_rate = 5e-3;
  options.warm_up = 10;
  options.validate_every = 25;
  options.patience = 4;
  auto training = SupervisedTraining::create(untrained(), episodes, options).value();
  while (!training.finished()) {
    EXPECT_TRUE(training.step());
    if (training.is_validation_due()) training.validate();
  }
  return training.best();
}

TEST(RpoTraining, LiftsTheReturnWellAboveThatOfATrainedSupervisedAgent) {
  const RelevanceNetwork initial = supervised_agent();
  RpoOptions options;
  options.steps = 300;
  options.requests_per_step = 4;
  options.max_budget = 2;
  options.learning_rate = 3e-3;
  auto training = RpoTraining::create(initial, environment(400), options).value();
  while (!training.finished())
    ASSERT_TRUE(training.step());
  const double untaught = mean_return(untrained());
  const double before = mean_return(initial);
  const double after = mean_return(training.network());
  std::cout << "return: untrained " << untaught << ", supervised " << before << ", RPO " << after
            << "\n";
  EXPECT_GT(before, untaught + 0.05) << "supervised training must have taught something";
  EXPECT_LT(1 - after, 0.85 * (1 - before)) << "RPO must remove a good part of what is left";
}

TEST(RpoTraining, GoesOnAfterAnInterruptionAsIfThereWasNone) {
  RpoOptions options;
  options.steps = 6;
  const auto run_to = [&](RpoTraining& training, std::size_t step) {
    while (training.state().step < step)
      ASSERT_TRUE(training.step());
  };
  auto whole = RpoTraining::create(untrained(), environment(5), options).value();
  run_to(whole, 6);
  auto first = RpoTraining::create(untrained(), environment(5), options).value();
  run_to(first, 3);
  auto second = RpoTraining::create(untrained(), environment(5), options).value();
  ASSERT_TRUE(second.restore(first.state()));
  run_to(second, 6);
  EXPECT_EQ(second.state().weights, whole.state().weights);
}

TEST(RpoTraining, KeepsTheWeightsThatValidateBestAndLearnsFromNoneOfThoseRequests) {
  RpoOptions options;
  options.steps = 12;
  options.max_budget = 2;
  options.validate_every = 4;
  options.learning_rate = 0.05;  // so high that the last weights are hardly the best
  std::vector<std::size_t> opened;
  RpoEnvironment held_out = environment(40);
  held_out.n_held_out = 10;
  held_out.open = [&opened, open = held_out.open](std::size_t request) {
    opened.push_back(request);
    return open(request);
  };
  auto training = RpoTraining::create(untrained(), held_out, options).value();
  double best = training.validate().value();
  EXPECT_THAT(opened, testing::Each(testing::Ge(30U)));
  EXPECT_THAT(opened, SizeIs(10));
  while (!training.finished()) {
    opened.clear();
    ASSERT_TRUE(training.step());
    EXPECT_THAT(opened, testing::Each(testing::Lt(30U)));
    EXPECT_EQ(training.is_validation_due(), training.state().step % 4 == 0);
    if (training.is_validation_due()) best = std::max(best, training.validate().value());
  }
  EXPECT_EQ(training.state().best_return, best);
  auto again = RpoTraining::create(training.best(), held_out, options).value();
  EXPECT_EQ(again.validate().value(), best);
}

TEST(RpoTraining, FirstStepHasNoDivergenceAndTheReferenceIsFrozen) {
  RpoOptions options;
  options.passes = 1;
  auto training = RpoTraining::create(untrained(), environment(5), options).value();
  const auto first = training.step();
  ASSERT_TRUE(first);
  EXPECT_NEAR(first->kl, 0, 1e-9);
  EXPECT_EQ(first->clipped, 0);
  EXPECT_GT(first->entropy, 0);
  for (int n = 0; n < 3; ++n)
    ASSERT_TRUE(training.step());
  EXPECT_GT(training.step()->kl, 0);
}

TEST(RpoTraining, FailuresOfTheLlmChangeNothing) {
  RpoEnvironment failing = environment(1);
  failing.open = [](std::size_t) -> Result<std::unique_ptr<PositionScorer>> {
    return Error(ErrorCode::kTooLong, "it is too long");
  };
  auto training = RpoTraining::create(untrained(), failing, {}).value();
  const auto weights = training.state().weights;
  EXPECT_FALSE(training.step());
  EXPECT_EQ(training.state().weights, weights);
  EXPECT_EQ(training.state().step, 0U);
}

TEST(RpoTraining, SenselessOptionsAreTold) {
  RpoOptions options;
  options.advantage = Advantage::kGroup;
  options.rollouts = 1;
  const auto training = RpoTraining::create(untrained(), environment(1), options);
  ASSERT_FALSE(training);
  EXPECT_THAT(training.error().message(), HasSubstr("a group needs at least 2"));
  EXPECT_FALSE(RpoTraining::create(untrained(), {}, RpoOptions{}));
}

TEST(Rollout, TrajectoriesHaveAnActionForEachProposalAndTheAnswer) {
  AlternatingScorer scorer(3, kItems);
  std::mt19937_64 random(1);
  const RelevanceNetwork agent = untrained();
  const std::vector<Actor> actors(4, {.agent = &agent, .random = &random});
  const auto sampled = roll_out(actors, scorer, {.budget = 3}).value();
  ASSERT_THAT(sampled, SizeIs(4));
  for (const Trajectory& trajectory : sampled) {
    EXPECT_THAT(trajectory.actions, SizeIs(3));
    EXPECT_EQ(trajectory.answer.size(), kItems);
  }
  EXPECT_NE(sampled[0].answer, sampled[1].answer);
}

TEST(Rollout, GreedyIsWhatDecodingReturns) {
  for (const Draft draft : {Draft::kFirstToken, Draft::kInput}) {
    for (std::size_t budget = 1; budget < 4; ++budget) {
      AlternatingScorer scorer(4, kItems);
      const RelevanceNetwork agent = untrained();
      const auto trajectory = greedy(agent, scorer, {.budget = budget, .draft = draft});
      DecodingOptions options;
      options.budget = budget;
      options.draft = draft;
      options.policy = agent_policy(agent);
      auto decoding = Decoding::create(kItems, options).value();
      EXPECT_EQ(trajectory.answer, run(decoding, scorer).value().ranking);
    }
  }
}

TEST(Rollout, EachActorPlaysAsItWouldAlone) {
  const RelevanceNetwork one = untrained();
  RelevanceNetwork other = untrained();
  std::mt19937_64 weights(7);
  for (float& weight : other.weights())
    weight += std::normal_distribution<float>(0, 0.3F)(weights);
  const RolloutOptions options{.budget = 3};
  AlternatingScorer scorer(5, kItems);
  const std::vector<Actor> actors{{.agent = &one}, {.agent = &other}, {.agent = &one}};
  const auto together = roll_out(actors, scorer, options).value();
  EXPECT_EQ(together[0].answer, greedy(one, scorer, options).answer);
  EXPECT_EQ(together[1].answer, greedy(other, scorer, options).answer);
  EXPECT_EQ(together[2].answer, together[0].answer);
  EXPECT_NE(together[1].answer, together[0].answer);
}

}  // namespace
}  // namespace rsd
