#include "rsd/train/supervised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "rsd/train/collect.h"
#include "rsd/train/hold_out.h"
#include "rsd/train/plackett_luce.h"
#include "support/alternating_scorer.h"

namespace rsd {
namespace {

using ::testing::HasSubstr;

std::vector<Episode> episodes(std::size_t n_requests) {
  std::vector<Episode> episodes;
  for (std::size_t n = 0; n < n_requests; ++n) {
    AlternatingScorer scorer(/*seed=*/n + 1, /*n_items=*/8);
    Request request{.id = "r" + std::to_string(n), .query = "query " + std::to_string(n)};
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

// A network in which every weight has an influence.
RelevanceNetwork random_network() {
  RelevanceNetwork network = RelevanceNetwork::untrained(kShape, 1).value();
  std::mt19937 random(20261130);
  for (float& weight : network.weights())
    weight += 0.2F * (static_cast<float>(random() % 2001) / 1000 - 1);
  return network;
}

// The episodes of `all` that are trained on, and the held-out ones.
std::pair<std::vector<Episode>, std::vector<Episode>> sides(const std::vector<Episode>& all) {
  std::vector<std::string> keys;
  for (const Episode& episode : all)
    keys.push_back(episode.split_key);
  const HoldOut split = hold_out(keys);
  std::pair<std::vector<Episode>, std::vector<Episode>> result;
  for (const std::size_t i : split.training)
    result.first.push_back(all[i]);
  for (const std::size_t i : split.held_out)
    result.second.push_back(all[i]);
  return result;
}

TEST(SupervisedTraining, LearnsNothingFromWhatIsHeldOut) {
  const auto all = episodes(30);
  const auto [trained_on, held_out] = sides(all);
  ASSERT_FALSE(held_out.empty());
  const auto weights_after = [](const std::vector<Episode>& of) {
    auto learning = SupervisedTraining::create(random_network(), of, kOptions).value();
    for (int n = 0; n < 15; ++n)
      EXPECT_TRUE(learning.step());
    return learning.state().weights;
  };
  EXPECT_EQ(weights_after(all), weights_after(trained_on));
}

// With an agent's scores of every state of the episodes, the answer's.
Validation plain_validation(const RelevanceNetwork& network, const std::vector<Episode>& episodes) {
  Validation mean;
  double count = 0;
  for (const Episode& episode : episodes) {
    for (std::size_t n_rounds = 1; n_rounds <= episode.history.rounds().size(); ++n_rounds) {
      const History history = episode.history.after(n_rounds);
      if (history.complete()) continue;
      const AgentInput input = agent_input(history, 0, {});
      const auto scores = network.scores({&input, 1}).front();
      const auto order = open_order(history, episode.target);
      const auto n = static_cast<double>(episode.target.size());
      double inversions = 0;
      double of_base = 0;
      for (std::size_t i = 0; i < order.size(); ++i) {
        for (std::size_t j = i + 1; j < order.size(); ++j) {
          inversions += scores[order[i]] < scores[order[j]] ? 1 : 0;
          of_base += input.base[order[i]] < input.base[order[j]] ? 1 : 0;
        }
      }
      mean.loss -= log_likelihood(scores, order).value / (n - 1);
      mean.kendall_tau += 1 - 4 * inversions / (n * (n - 1));
      mean.heuristic_kendall_tau += 1 - 4 * of_base / (n * (n - 1));
      ++count;
    }
  }
  return {.loss = mean.loss / count,
          .kendall_tau = mean.kendall_tau / count,
          .heuristic_kendall_tau = mean.heuristic_kendall_tau / count};
}

TEST(SupervisedTraining, ValidatesOnEveryStateOfWhatIsHeldOutAndOnNothingElse) {
  const auto all = episodes(30);
  const Validation expected = plain_validation(random_network(), sides(all).second);
  auto learning = SupervisedTraining::create(random_network(), all, kOptions).value();
  const Validation found = learning.validate();
  EXPECT_NEAR(found.loss, expected.loss, 1e-5);
  EXPECT_NEAR(found.kendall_tau, expected.kendall_tau, 1e-5);
  EXPECT_NEAR(found.heuristic_kendall_tau, expected.heuristic_kendall_tau, 1e-5);
  EXPECT_NE(found.kendall_tau, found.heuristic_kendall_tau);
}

class SupervisedStates : public ::testing::TestWithParam<SupervisedLoss> {};
INSTANTIATE_TEST_SUITE_P(Losses, SupervisedStates,
                         ::testing::Values(SupervisedLoss::kLikelihood,
                                           SupervisedLoss::kInversions));

double plain_loss(const RelevanceNetwork& network, const Episode& episode, std::size_t n_rounds,
                  std::optional<std::size_t> left, SupervisedLoss kind) {
  const History history = episode.history.after(n_rounds);
  const AgentInput input = agent_input(history, left, {});
  const auto scores = network.scores({&input, 1}).front();
  const auto order = open_order(history, episode.target);
  const auto n = static_cast<double>(episode.target.size());
  return kind == SupervisedLoss::kLikelihood
             ? -log_likelihood(scores, order).value / (n - 1)
             : expected_inversions(scores, order).value / (n * (n - 1) / 2);
}

TEST_P(SupervisedStates, AreThoseAfterEveryRoundWithEveryNumberOfEncodingsLeft) {
  const auto all = episodes(1);
  const Episode& episode = all.back();
  ASSERT_EQ(episode.history.rounds().size(), 3U);
  ASSERT_LE(episode.history.rounds().back().known + 2, episode.target.size());
  std::vector<double> expected;
  for (std::size_t n_rounds = 1; n_rounds <= 3; ++n_rounds)
    for (const auto left : {std::optional<std::size_t>(), std::optional<std::size_t>(0),
                            std::optional<std::size_t>(1), std::optional<std::size_t>(2),
                            std::optional<std::size_t>(3), std::optional<std::size_t>(4)})
      expected.push_back(plain_loss(random_network(), episode, n_rounds, left, GetParam()));
  SupervisedOptions options = kOptions;
  options.loss = GetParam();
  options.batch = 1;
  options.steps = 1000;
  options.learning_rate = 1e-15;
  auto learning = SupervisedTraining::create(random_network(), {episode}, options).value();
  std::set<std::size_t> seen;
  for (int n = 0; n < 200; ++n) {
    const double loss = learning.step().value().loss;
    const auto nearest = std::ranges::min_element(
        expected, {}, [&](double value) { return std::abs(value - loss); });
    ASSERT_NEAR(loss, *nearest, 1e-5);
    seen.insert(static_cast<std::size_t>(nearest - expected.begin()));
  }
  EXPECT_EQ(seen.size(), 18U);
}

TEST(SupervisedTraining, WithoutHeldOutEpisodesTheLastWeightsAreTheBest) {
  SupervisedOptions options = kOptions;
  options.steps = 4;
  options.validate_every = 2;
  options.patience = 1;
  const auto trained_on = sides(episodes(9)).first;
  auto learning = SupervisedTraining::create(random_network(), trained_on, options).value();
  EXPECT_FALSE(learning.validates());
  while (!learning.finished()) {
    EXPECT_FALSE(learning.is_validation_due());
    ASSERT_TRUE(learning.step());
  }
  EXPECT_EQ(learning.state().step, 4U);
  const RelevanceNetwork best = learning.best();
  EXPECT_EQ(std::vector<float>(best.weights().begin(), best.weights().end()),
            learning.state().weights);
}

TEST(SupervisedTraining, EpisodesThatItCannotTrainOnAreErrors) {
  const auto network = RelevanceNetwork::untrained(kShape, 1).value();
  const auto none = SupervisedTraining::create(network, sides(episodes(9)).second, kOptions);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message(), HasSubstr("of 6 traces none is left to train on"));
  SupervisedOptions options = kOptions;
  options.batch = 0;
  EXPECT_FALSE(SupervisedTraining::create(network, episodes(2), options));
  SupervisedTraining learning = training();
  SupervisedState other;
  other.weights.resize(3);
  EXPECT_FALSE(learning.restore(other));
  SupervisedState broken = learning.state();
  broken.weights[2] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(learning.restore(broken));
}

}  // namespace
}  // namespace rsd
