#include "rsd/train/gradient_variance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "rsd/decode/decoding.h"
#include "rsd/train/collect.h"
#include "rsd/train/plackett_luce.h"
#include "rsd/train/rollout.h"
#include "support/alternating_scorer.h"
#include "train/rpo_batch.h"

namespace rsd {
namespace {

using testing::HasSubstr;

constexpr NetworkShape kShape{
    .d_model = 8, .n_heads = 2, .n_layers = 1, .d_feed_forward = 8, .d_pair = 8, .input = {}};
constexpr std::size_t kItems = 4;
constexpr std::size_t kBatches = 400;
constexpr std::size_t kSeed = 5;  // of a request whose rankings differ in their returns

using Vector = std::vector<double>;

// A network in which every weight has an influence.
RelevanceNetwork random_agent(std::uint64_t seed) {
  RelevanceNetwork agent = RelevanceNetwork::untrained(kShape, 1).value();
  std::mt19937_64 random(seed);
  for (float& weight : agent.weights())
    weight += std::normal_distribution<float>(0, 0.3F)(random);
  return agent;
}

void add_to(Vector& sum, double factor, const Vector& other) {
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] += factor * other[i];
}

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// One way in which a play of all sampled rounds can go.
struct Outcome {
  double probability = 0;
  Vector score;  // the gradient of its log probability
  Ranking answer;
};

Vector score_of(const RelevanceNetwork& agent, const RolloutAction& action) {
  const auto scores = agent.scores({&action.input, 1}).front();
  const std::vector<Vector> slopes{log_likelihood(scores, action.ranking).gradient};
  const auto gradient = agent.gradient({&action.input, 1}, slopes);
  return {gradient.begin(), gradient.end()};
}

// Noise so strong that it alone decides the ranking, for every ranking of the items.
std::vector<Vector> deciding_noise() {
  std::vector<Vector> all;
  Vector row{0, 1000, 2000, 3000};
  do {
    all.push_back(row);
  } while (std::ranges::next_permutation(row).found);
  return all;
}

// What happens with each combination of `noise_by_round`, once.
std::vector<Trajectory> trajectories_of(const RelevanceNetwork& agent, PositionScorer& scorer,
                                        const std::vector<std::vector<Vector>>& noise_by_round) {
  const std::size_t budget = noise_by_round.size();
  std::map<std::vector<std::vector<std::size_t>>, Trajectory> distinct;
  std::vector<std::size_t> place(budget, 0);
  for (bool done = false; !done;) {
    std::vector<Vector> noise;
    noise.reserve(budget);
    for (std::size_t round = 0; round < budget; ++round)
      noise.push_back(noise_by_round[round][place[round]]);
    const Actor actor{.agent = &agent, .noise = noise};
    auto played = roll_out({&actor, 1}, scorer,
                           {.budget = budget, .draft = default_draft(DecoderKind::kRsd, budget)})
                      .value();
    std::vector<std::vector<std::size_t>> rankings;
    for (const RolloutAction& action : played.front().actions)
      rankings.push_back(action.ranking);
    distinct.emplace(rankings, std::move(played.front()));
    std::size_t round = 0;
    while (round < budget && ++place[round] == noise_by_round[round].size())
      place[round++] = 0;
    done = round == budget;
  }
  std::vector<Trajectory> result;
  result.reserve(distinct.size());
  for (auto& [rankings, trajectory] : distinct)
    result.push_back(std::move(trajectory));
  return result;
}

std::vector<Outcome> outcomes(const RelevanceNetwork& agent, PositionScorer& scorer,
                              std::size_t budget) {
  const std::vector<std::vector<Vector>> noise(budget, deciding_noise());
  std::vector<Outcome> all;
  for (const Trajectory& trajectory : trajectories_of(agent, scorer, noise)) {
    Outcome outcome{.probability = 1,
                    .score = Vector(agent.weights().size(), 0.0),
                    .answer = trajectory.answer};
    for (const RolloutAction& action : trajectory.actions) {
      outcome.probability *= std::exp(action.log_probability);
      add_to(outcome.score, 1, score_of(agent, action));
    }
    all.push_back(std::move(outcome));
  }
  return all;
}

// The gradient of the expected return, turned round, if all rounds are sampled.
Vector exact_gradient(const RelevanceNetwork& agent, PositionScorer& scorer, const Ranking& target,
                      std::size_t budget) {
  Vector gradient(agent.weights().size(), 0.0);
  double sum = 0;
  for (const Outcome& outcome : outcomes(agent, scorer, budget)) {
    const double value = return_of(ReturnKind::kSpearman, outcome.answer, target);
    add_to(gradient, -outcome.probability * value, outcome.score);
    sum += outcome.probability;
  }
  EXPECT_NEAR(sum, 1, 1e-4) << "all outcomes";
  return gradient;
}

// The sum over rounds, if one round is sampled and the others are greedy.
Vector exact_gradient_of_one_round(const RelevanceNetwork& agent, PositionScorer& scorer,
                                   const Ranking& target, std::size_t budget) {
  Vector gradient(agent.weights().size(), 0.0);
  for (std::size_t round = 0; round < budget; ++round) {
    std::vector<std::vector<Vector>> noise(budget, {Vector(kItems, 0.0)});
    noise[round] = deciding_noise();
    for (const Trajectory& trajectory : trajectories_of(agent, scorer, noise)) {
      if (trajectory.actions.size() <= round) continue;
      const RolloutAction& action = trajectory.actions[round];
      const double value = return_of(ReturnKind::kSpearman, trajectory.answer, target);
      add_to(gradient, -std::exp(action.log_probability) * value, score_of(agent, action));
    }
  }
  return gradient;
}

struct Estimate {
  Vector mean;
  double variance = 0;  // of one batch
};

// The mean of many batches' gradients.
Estimate estimated(const RelevanceNetwork& agent, PositionScorer& scorer, const Ranking& target,
                   const RpoOptions& options) {
  Estimate estimate{.mean = Vector(agent.weights().size(), 0.0)};
  std::mt19937_64 random(2);
  double squares = 0;
  for (std::size_t n = 0; n < kBatches; ++n) {
    auto played = play({agent, agent}, scorer, options, random()).value();
    Vector returns;
    for (const Play& one : played.plays)
      returns.push_back(return_of(options.return_kind, one.trajectory.answer, target));
    const double reference = return_of(options.return_kind, played.reference.answer, target);
    RpoBatch batch;
    batch.add(std::move(played),
              advantages_of(options.advantage, options.advantage_scale, returns, reference));
    batch.compare_with(agent, 1);
    if (batch.actions.empty()) continue;
    const auto gradient = gradient_of(agent, batch, options.terms, 1).gradient;
    const Vector drawn(gradient.begin(), gradient.end());
    add_to(estimate.mean, 1 / static_cast<double>(kBatches), drawn);
    squares += dot(drawn, drawn) / static_cast<double>(kBatches);
  }
  estimate.variance = squares - dot(estimate.mean, estimate.mean);
  return estimate;
}

class EstimatedGradient : public testing::TestWithParam<Sampled> {};

// By the central limit theorem the squared error of the mean is about variance / kBatches.
TEST_P(EstimatedGradient, IsOnAverageThatOfTheExpectedReturn) {
  const RelevanceNetwork agent = random_agent(4);
  AlternatingScorer scorer(kSeed, kItems);
  const Ranking target = target_ranking(scorer).value();
  for (const Advantage advantage : {Advantage::kNone, Advantage::kReference, Advantage::kGroup}) {
    RpoOptions options;
    options.rollouts = 3;
    options.max_budget = 2;
    options.sampled = GetParam();
    options.advantage = advantage;
    const auto exact =
        GetParam() == Sampled::kOneRound ? exact_gradient_of_one_round : exact_gradient;
    Vector expected(agent.weights().size(), 0.0);
    for (const std::size_t budget : {1U, 2U})
      add_to(expected, 0.5, exact(agent, scorer, target, budget));
    const double shrinks = advantage == Advantage::kGroup ? 2.0 / 3 : 1;
    const Estimate estimate = estimated(agent, scorer, target, options);
    Vector error = estimate.mean;
    add_to(error, -shrinks, expected);
    const double standard = estimate.variance / kBatches;
    const double signal = dot(expected, expected);
    EXPECT_LT(dot(error, error), 10 * standard);
    if (advantage == Advantage::kReference) {
      EXPECT_LT(40 * standard, signal) << "else a wrong factor would not be noticed";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sampling, EstimatedGradient,
                         testing::Values(Sampled::kAllRounds, Sampled::kOneRound,
                                         Sampled::kOneRoundCommonNoise));

// The variance of the mean over two plays with one ranking each, by all pairs of outcomes.
GradientVariance exact_variance(const std::vector<Outcome>& all, const Credit& credit,
                                const Ranking& target, double reference_return) {
  Vector mean(all.front().score.size(), 0.0);
  double squares = 0;
  for (const Outcome& one : all) {
    for (const Outcome& other : all) {
      const Vector returns{return_of(credit.return_kind, one.answer, target),
                           return_of(credit.return_kind, other.answer, target)};
      const auto advantages =
          advantages_of(credit.advantage, credit.scale, returns, reference_return);
      Vector gradient(mean.size(), 0.0);
      add_to(gradient, -advantages[0] / 2, one.score);
      add_to(gradient, -advantages[1] / 2, other.score);
      const double probability = one.probability * other.probability;
      add_to(mean, probability, gradient);
      squares += probability * dot(gradient, gradient);
    }
  }
  return {.variance = squares - dot(mean, mean), .squared_mean = dot(mean, mean)};
}

const std::vector<Credit> kCredits{
    {.advantage = Advantage::kNone},
    {.advantage = Advantage::kGroup},
    {.advantage = Advantage::kReference},
    {.return_kind = ReturnKind::kLogError, .advantage = Advantage::kReference},
    {.advantage = Advantage::kGroup, .scale = AdvantageScale::kDeviation}};

VarianceOptions pairs_of_plays(std::size_t batches) {
  VarianceOptions options{.batches = batches, .credits = kCredits};
  options.rpo.rollouts = 2;
  options.rpo.max_budget = 1;
  return options;
}

TEST(GradientVarianceOfOneRanking, IsThatOverAllOutcomes) {
  const RelevanceNetwork agent = random_agent(4);
  AlternatingScorer scorer(kSeed, kItems);
  const Ranking target = target_ranking(scorer).value();
  const auto all = outcomes(agent, scorer, 1);
  ASSERT_GT(all.size(), 2U);
  const Actor greedy{.agent = &agent};
  const Ranking reference =
      roll_out({&greedy, 1}, scorer, {.budget = 1, .draft = Draft::kInput})->front().answer;
  const auto measured =
      measure_gradient_variance({agent, agent}, scorer, target, pairs_of_plays(1000)).value();
  std::vector<double> exact;
  for (std::size_t c = 0; c < kCredits.size(); ++c) {
    const auto expected = exact_variance(all, kCredits[c], target,
                                         return_of(kCredits[c].return_kind, reference, target));
    exact.push_back(expected.variance);
    EXPECT_NEAR(measured[c].variance / expected.variance, 1, 0.15) << "credit " << c;
    const double error = std::sqrt(expected.squared_mean * expected.variance / 1000);
    EXPECT_NEAR(measured[c].squared_mean, expected.squared_mean, 6 * error) << "credit " << c;
  }
  EXPECT_LT(exact[2], 0.5 * exact[0]) << "a case in which the reference is known to help";
  EXPECT_LT(measured[2].variance, 0.5 * measured[0].variance);
}

TEST(GradientVarianceOfOneRanking, IsUnbiasedForTwoBatches) {
  const RelevanceNetwork agent = random_agent(4);
  AlternatingScorer scorer(kSeed, kItems);
  const Ranking target = target_ranking(scorer).value();
  const Credit credit{.advantage = Advantage::kNone};
  const auto exact = exact_variance(outcomes(agent, scorer, 1), credit, target, 0);
  constexpr int kSeeds = 400;
  GradientVariance mean;
  VarianceOptions options = pairs_of_plays(2);
  options.credits = {credit};
  for (int seed = 1; seed <= kSeeds; ++seed) {
    options.rpo.seed = static_cast<std::uint64_t>(seed);
    const auto measured =
        measure_gradient_variance({agent, agent}, scorer, target, options).value();
    mean.variance += measured.front().variance / kSeeds;
    mean.squared_mean += measured.front().squared_mean / kSeeds;
  }
  EXPECT_NEAR(mean.variance / exact.variance, 1, 0.2);
  EXPECT_NEAR(mean.squared_mean, exact.squared_mean, 0.15 * exact.variance)
      << "the variance of a mean of two is half of it";
}

TEST(GradientVarianceOfOneRanking, IsTheSameForTheSameSeedOnly) {
  const RelevanceNetwork agent = random_agent(4);
  AlternatingScorer scorer(kSeed, kItems);
  const Ranking target = target_ranking(scorer).value();
  VarianceOptions options = pairs_of_plays(3);
  const auto variance = [&] {
    return measure_gradient_variance({agent, agent}, scorer, target, options)
        .value()
        .front()
        .variance;
  };
  const double first = variance();
  EXPECT_EQ(variance(), first);
  options.rpo.seed = 2;
  EXPECT_NE(variance(), first);
}

TEST(GradientVarianceOfOneRanking, OptionsOutOfRangeAndFailuresOfTheLlmAreErrors) {
  const RelevanceNetwork agent = random_agent(4);
  AlternatingScorer scorer(kSeed, kItems);
  const Ranking target = target_ranking(scorer).value();
  VarianceOptions options = pairs_of_plays(3);
  options.rpo.rollouts = 0;
  const auto refused = measure_gradient_variance({agent, agent}, scorer, target, options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("rollouts must be at least 1"));
  options.rpo.rollouts = 1;
  options.credits = {{.advantage = Advantage::kGroup}};
  EXPECT_EQ(measure_gradient_variance({agent, agent}, scorer, target, options).error().code(),
            ErrorCode::kInvalidArgument);
  SyntheticScorer failing({.n_items = kItems, .failing_encoding = 2});
  EXPECT_EQ(
      measure_gradient_variance({agent, agent}, failing, target, pairs_of_plays(3)).error().code(),
      ErrorCode::kRuntime);
}

}  // namespace
}  // namespace rsd
