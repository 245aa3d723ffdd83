#include "rsd/train/supervised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "rsd/train/collect.h"
#include "support/alternating_scorer.h"

namespace rsd {
namespace {

using ::testing::HasSubstr;

std::vector<Episode> episodes(std::size_t n_requests) {
  std::vector<Episode> episodes;
  for (std::size_t n = 0; n < n_requests; ++n) {
    AlternatingScorer scorer(/*seed=*/n + 1, /*n_items=*/8);
    Request request{.id = "r" + std::to_string(n), .query = "q"};
    const auto traces = collect(request, scorer, {.n_decodings = 3, .budget = 3}).value();
    for (const Trace& trace : traces)
      episodes.push_back(episode_of(trace).value());
  }
  return episodes;
}

const NetworkShape kShape{
    .d_model = 16, .n_heads = 2, .n_layers = 1, .d_feed_forward = 16, .input = {}};
const SupervisedOptions kOptions{.steps = 150,
                                 .batch = 8,
                                 .learning_rate = 5e-3,
                                 .warm_up = 10,
                                 .validate_every = 50,
                                 .patience = 100};

SupervisedTraining training(const SupervisedOptions& options = kOptions) {
  return SupervisedTraining::create(RelevanceNetwork::untrained(kShape, 1).value(), episodes(60),
                                    options)
      .value();
}

void train_until(SupervisedTraining& training, std::size_t step) {
  while (training.state().step < step) {
    ASSERT_TRUE(training.step());
    if (training.is_validation_due()) static_cast<void>(training.validate());
  }
}

TEST(SupervisedTraining, BeatsTheHeuristicOnRequestsThatItHasNotSeen) {
  SupervisedTraining learning = training();
  const Validation before = learning.validate();
  EXPECT_DOUBLE_EQ(before.kendall_tau, before.heuristic_kendall_tau);
  train_until(learning, kOptions.steps);
  const Validation after = learning.validate();
  EXPECT_LT(after.loss, before.loss - 0.5);
  EXPECT_GT(after.kendall_tau, after.heuristic_kendall_tau + 0.2);
}

TEST(SupervisedTraining, GoesOnAfterAnInterruptionAsIfThereWasNone) {
  SupervisedTraining whole = training();
  train_until(whole, 60);
  SupervisedTraining first = training();
  train_until(first, 25);
  SupervisedTraining second = training();
  ASSERT_TRUE(second.restore(first.state()));
  train_until(second, 60);
  EXPECT_EQ(second.state().weights, whole.state().weights);
  EXPECT_EQ(second.state().best_kendall_tau, whole.state().best_kendall_tau);
}

TEST(SupervisedTraining, EndsWhenItGainsNoMore) {
  SupervisedOptions options = kOptions;
  options.learning_rate = 1e-9;
  options.validate_every = 5;
  options.patience = 3;
  SupervisedTraining learning = training(options);
  train_until(learning, 5);
  std::size_t steps = 5;
  while (!learning.finished() && steps < 100) {
    train_until(learning, ++steps);
  }
  EXPECT_LT(steps, 60U);
}

TEST(SupervisedTraining, KeepsTheBestWeights) {
  SupervisedTraining learning = training();
  train_until(learning, 50);
  const auto best = learning.state().best_weights;
  SupervisedState ruined = learning.state();
  for (float& weight : ruined.weights)
    weight += 3;
  ASSERT_TRUE(learning.restore(ruined));
  static_cast<void>(learning.validate());
  const RelevanceNetwork network = learning.best();
  EXPECT_EQ(std::vector<float>(network.weights().begin(), network.weights().end()), best);
}

TEST(SupervisedTraining, TellsWhatItCannotTrainOn) {
  const auto network = RelevanceNetwork::untrained(kShape, 1).value();
  const auto one = SupervisedTraining::create(network, episodes(1), kOptions);
  ASSERT_FALSE(one);
  EXPECT_THAT(one.error().message(), HasSubstr("1 requests; training needs at least 2"));
  SupervisedOptions options = kOptions;
  options.batch = 0;
  EXPECT_FALSE(SupervisedTraining::create(network, episodes(2), options));
  SupervisedTraining learning = training();
  SupervisedState other;
  other.weights.resize(3);
  EXPECT_FALSE(learning.restore(other));
}

}  // namespace
}  // namespace rsd
