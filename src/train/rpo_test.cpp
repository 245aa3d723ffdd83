#include "rsd/train/rpo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <set>

#include "rsd/agent/agent_policy.h"
#include "rsd/decode/run.h"
#include "rsd/rank/agreement.h"
#include "rsd/train/collect.h"
#include "rsd/train/plackett_luce.h"
#include "rsd/train/rollout.h"
#include "rsd/train/supervised.h"
#include "support/agent_feature.h"
#include "support/alternating_scorer.h"
#include "train/rpo_batch.h"

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

// A network in which every weight has an influence.
RelevanceNetwork random_agent(std::uint64_t seed) {
  RelevanceNetwork agent = untrained();
  std::mt19937_64 random(seed);
  for (float& weight : agent.weights())
    weight += std::normal_distribution<float>(0, 0.3F)(random);
  return agent;
}

// The encodings of the LLM, without those for its target rankings, which are made before.
struct Tally {
  std::size_t encodings = 0;
  std::vector<std::size_t> sizes_of_first_proposals;
};

class CountingScorer final : public AlternatingScorer {
 public:
  CountingScorer(std::uint64_t seed, std::size_t n_items, Tally& tally)
      : AlternatingScorer(seed, n_items), tally_(tally) {}

  Result<Encoding> encode(const EncodingQuery& query) override {
    ++tally_.encodings;
    if (query.rows.first == 0) tally_.sizes_of_first_proposals.push_back(query.proposal.size());
    return AlternatingScorer::encode(query);
  }

 private:
  Tally& tally_;
};

RpoEnvironment counting_environment(std::size_t n_requests, std::size_t n_items, Tally& tally) {
  return {
      .n_requests = n_requests,
      .open = [n_items, &tally](std::size_t request) -> Result<std::unique_ptr<PositionScorer>> {
        return std::unique_ptr<PositionScorer>(
            std::make_unique<CountingScorer>(request, n_items, tally));
      }};
}

Trajectory greedy(const RelevanceNetwork& agent, PositionScorer& scorer,
                  const RolloutOptions& options) {
  const Actor actor{.agent = &agent};
  return roll_out({&actor, 1}, scorer, options).value().front();
}

// The return of the greedy agent on requests that were not trained on.
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

// Trained on traces of the same LLM until it gains no more on held-out requests.
RelevanceNetwork supervised_agent() {
  std::vector<Episode> episodes;
  for (std::size_t n = 0; n < 80; ++n) {
    AlternatingScorer scorer(n, kItems);
    Request request{.id = std::to_string(n), .query = "query " + std::to_string(n)};
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

// Figures of the code before it had any other form than the paper's, to which its weights were
// equal to the last bit.
TEST(RpoTraining, TrainsByDefaultInThePapersForm) {
  struct Expected {
    double mean_return, reference_return, loss, gradient_norm;
  };
  const std::vector<Expected> steps{{0.97619047619, 0.99404761905, 0.06800174, 0.37929926},
                                    {0.78174603175, 0.80952380952, 0.06736285, 0.28821466},
                                    {0.95734126984, 0.95238095238, -0.00501965, 0.12400072}};
  auto training = RpoTraining::create(random_agent(5), environment(5), {}).value();
  for (const Expected& expected : steps) {
    const auto step = training.step().value();
    EXPECT_NEAR(step.mean_return, expected.mean_return, 1e-9);
    EXPECT_NEAR(step.reference_return, expected.reference_return, 1e-9);
    EXPECT_NEAR(step.loss, expected.loss, 1e-3 * std::abs(expected.loss));
    EXPECT_NEAR(step.gradient_norm, expected.gradient_norm, 1e-3 * expected.gradient_norm);
  }
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

TEST(RpoTraining, ValidatesWithEverySmallBudgetAndSomeLargeOnes) {
  RpoOptions options;
  options.max_budget = 6;
  Tally tally;
  RpoEnvironment held_out = counting_environment(2, 16, tally);
  held_out.n_held_out = 1;
  auto training = RpoTraining::create(untrained(), held_out, options).value();
  const double first = training.validate().value();
  tally = {};
  EXPECT_EQ(training.validate().value(), first);
  EXPECT_EQ(tally.encodings, 1U + 2U + 3U + 4U + 6U);
  EXPECT_THAT(tally.sizes_of_first_proposals, testing::ElementsAre(16, 0, 0, 0, 0))
      << "one encoding carries the input order, several begin with the prompt alone";
}

// How many encodings the plays of one request take, over many steps; two actors each.
std::set<std::size_t> encodings_of_plays(std::size_t n_items, std::size_t max_budget) {
  RpoOptions options;
  options.requests_per_step = options.rollouts = options.passes = 1;
  options.max_budget = max_budget;
  Tally tally;
  auto training =
      RpoTraining::create(untrained(), counting_environment(1, n_items, tally), options).value();
  EXPECT_TRUE(training.step());  // which finds the target
  std::set<std::size_t> counts;
  for (std::size_t n = 0; n < 40; ++n) {
    tally = {};
    EXPECT_TRUE(training.step());
    counts.insert(tally.encodings);
  }
  return counts;
}

TEST(RpoTraining, DrawsEveryBudgetUpToTheLargest) {
  EXPECT_THAT(encodings_of_plays(16, 3), testing::ElementsAre(1, 1 + 2, 1 + 2 * 2));
  EXPECT_THAT(encodings_of_plays(3, 4), testing::ElementsAre(1, 1 + 2))
      << "with two encodings all of three items are known";
}

// Of 6 plays, one or two perturb each round; until then they propose what the reference does.
TEST(RpoTraining, EqualProposalsOfOneSampledRoundAreEncodedOnce) {
  RpoOptions options;
  options.requests_per_step = options.passes = 1;
  options.max_budget = 3;
  options.sampled = Sampled::kOneRound;
  Tally tally;
  auto training =
      RpoTraining::create(untrained(), counting_environment(1, 16, tally), options).value();
  ASSERT_TRUE(training.step());  // which finds the target
  std::set<std::size_t> counts;
  for (std::size_t n = 0; n < 12; ++n) {
    tally = {};
    ASSERT_TRUE(training.step());
    counts.insert(tally.encodings);
  }
  EXPECT_THAT(counts, testing::ElementsAre(1, 1 + (1 + 3), 1 + (1 + 2) + (1 + 4)));
}

TEST(RpoTraining, TheReferenceIsTheAgentThatItStartedFrom) {
  const RelevanceNetwork initial = random_agent(5);
  RpoOptions options;
  options.max_budget = 1;
  options.learning_rate = 0.1;
  options.warm_up = 1;
  auto training = RpoTraining::create(initial, environment(1), options).value();
  AlternatingScorer scorer(0, kItems);
  const Ranking target = target_ranking(scorer).value();
  const auto return_of = [&](const RelevanceNetwork& agent) {
    return spearman_return(greedy(agent, scorer, {.budget = 1, .draft = Draft::kInput}).answer,
                           target);
  };
  const double expected = return_of(initial);
  bool has_moved = false;
  for (std::size_t n = 0; n < 30; ++n) {
    EXPECT_DOUBLE_EQ(training.step().value().reference_return, expected);
    has_moved = has_moved || return_of(training.network()) != expected;
  }
  EXPECT_TRUE(has_moved) << "else it equals the current agent";
}

// Before the first update the ratio is 1, so the loss is the mean advantage, turned round.
TEST(RpoTraining, AdvantagesAreAgainstWhatTheOptionsSay) {
  RpoOptions options;
  options.max_budget = options.passes = 1;
  options.advantage = Advantage::kReference;
  const auto reference =
      RpoTraining::create(random_agent(5), environment(4), options).value().step().value();
  const double ahead = reference.mean_return - reference.reference_return;
  EXPECT_GT(std::abs(ahead), 0.003);
  EXPECT_NEAR(reference.loss, -ahead, 1e-4);
  options.advantage = Advantage::kGroup;
  const auto group =
      RpoTraining::create(random_agent(5), environment(4), options).value().step().value();
  EXPECT_EQ(group.mean_return, reference.mean_return);
  EXPECT_NEAR(group.loss, 0, 1e-4);
}

// What the agent learns from: a request whose plays are compared with those of an agent that is
// the same, so that differences are due to the sampling alone.
RequestPlays plays_of(const RelevanceNetwork& agent, Sampled sampled, std::uint64_t seed,
                      std::size_t rollouts = 6) {
  AlternatingScorer scorer(3, 16);
  RpoOptions options;
  options.max_budget = 3;
  options.rollouts = rollouts;
  options.sampled = sampled;
  return play({agent, agent}, scorer, options, seed).value();
}

std::vector<std::vector<std::size_t>> rankings_of(const Trajectory& trajectory) {
  std::vector<std::vector<std::size_t>> rankings;
  rankings.reserve(trajectory.actions.size());
  for (const RolloutAction& action : trajectory.actions)
    rankings.push_back(action.ranking);
  return rankings;
}

TEST(Plays, OfAllRoundsAreLearnedFromInAllOfThem) {
  const RequestPlays played = plays_of(random_agent(4), Sampled::kAllRounds, 1);
  const std::size_t budget = played.reference.actions.size();
  EXPECT_EQ(played.weight, 1);
  for (const Play& one : played.plays) {
    EXPECT_EQ(one.first_learned, 0U);
    EXPECT_EQ(one.end_learned, budget);
    EXPECT_NE(rankings_of(one.trajectory), rankings_of(played.reference));
  }
}

TEST(Plays, OfOneRoundDifferFromTheReferenceFromThatRoundOn) {
  const RelevanceNetwork agent = random_agent(4);
  std::set<std::size_t> budgets;
  for (const Sampled sampled : {Sampled::kOneRound, Sampled::kOneRoundCommonNoise}) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      const RequestPlays played = plays_of(agent, sampled, seed);
      const auto reference = rankings_of(played.reference);
      const std::size_t budget = reference.size();
      budgets.insert(budget);
      EXPECT_EQ(played.weight, budget);
      std::vector<std::size_t> n_perturbed(budget, 0);
      std::size_t n_different = 0;
      for (const Play& one : played.plays) {
        ASSERT_EQ(one.end_learned, one.first_learned + 1);
        const auto rankings = rankings_of(one.trajectory);
        for (std::size_t round = 0; round < one.first_learned; ++round)
          EXPECT_EQ(rankings[round], reference[round]);
        n_different += rankings[one.first_learned] != reference[one.first_learned] ? 1 : 0;
        ++n_perturbed[one.first_learned];
      }
      EXPECT_GE(n_different, 5U) << "of 6";
      EXPECT_THAT(n_perturbed, testing::Each(6 / budget)) << "all rounds equally often";
    }
  }
  EXPECT_THAT(budgets, testing::ElementsAre(1, 2, 3));
}

TEST(Plays, TheReferenceIsGreedyUnlessNoiseIsCommon) {
  const RelevanceNetwork agent = random_agent(4);
  const auto reference = [&](Sampled sampled, std::uint64_t seed) {
    return rankings_of(plays_of(agent, sampled, seed).reference);
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    EXPECT_EQ(reference(Sampled::kOneRound, seed), reference(Sampled::kAllRounds, seed));
    EXPECT_NE(reference(Sampled::kOneRoundCommonNoise, seed), reference(Sampled::kOneRound, seed));
  }
}

TEST(Plays, AreAsManyAsAskedForWhereTheyDoNotFitTheLanesAtOnce) {
  const RequestPlays played = plays_of(random_agent(4), Sampled::kOneRound, 1, 70);
  EXPECT_THAT(played.plays, SizeIs(70));
  std::set<std::vector<std::vector<std::size_t>>> distinct;
  for (const Play& one : played.plays)
    distinct.insert(rankings_of(one.trajectory));
  EXPECT_GT(distinct.size(), 60U);
}

TEST(Batch, HoldsTheActionsThatAreLearnedFromWithTheirOwners) {
  const RelevanceNetwork agent = random_agent(4);
  RequestPlays played = plays_of(agent, Sampled::kOneRound, 1);
  const double weight = played.weight;
  // One whose positions are all known before its round.
  played.plays[1].first_learned = played.plays[1].trajectory.actions.size();
  played.plays[1].end_learned = played.plays[1].first_learned + 1;
  const auto ranking = played.plays[2].trajectory.actions[played.plays[2].first_learned].ranking;
  RpoBatch batch;
  batch.add(std::move(played), std::vector{0.0, 0.1, 0.2, 0.3, 0.4, 0.5});
  EXPECT_EQ(batch.n_trajectories, 6U);
  EXPECT_THAT(batch.owners, testing::ElementsAre(0, 2, 3, 4, 5));
  ASSERT_THAT(batch.actions, SizeIs(5));
  EXPECT_EQ(batch.actions[1].ranking, ranking);
  EXPECT_EQ(batch.actions[1].advantage, 0.2);
  EXPECT_EQ(batch.actions[1].weight, weight);
  batch.add(plays_of(agent, Sampled::kAllRounds, 1), std::vector<double>(6, 1.0));
  EXPECT_EQ(batch.n_trajectories, 12U);
  EXPECT_EQ(batch.owners.back(), 11U);
}

TEST(Batch, GradientGrowsWithTheWeightsOfItsActions) {
  const RelevanceNetwork agent = random_agent(4);
  RpoBatch batch;
  batch.add(plays_of(agent, Sampled::kAllRounds, 1), std::vector{0.0, 0.1, 0.2, 0.3, 0.4, 0.5});
  batch.compare_with(random_agent(5), 1);
  const RpoGradient once = gradient_of(agent, batch, {}, 1);
  for (Action& action : batch.actions)
    action.weight = 3;
  const RpoGradient thrice = gradient_of(agent, batch, {}, 1);
  EXPECT_NEAR(thrice.loss, 3 * once.loss, 1e-9);
  EXPECT_NEAR(thrice.kl, once.kl, 1e-9);
  for (std::size_t i = 0; i < once.gradient.size(); ++i)
    ASSERT_NEAR(thrice.gradient[i], 3 * once.gradient[i], 1e-4 * std::abs(once.gradient[i]) + 1e-6);
}

TEST(RpoTraining, EveryFormLearnsInItsOwnWay) {
  const auto trained = [](const RpoOptions& options) {
    auto training = RpoTraining::create(random_agent(5), environment(5), options).value();
    for (int n = 0; n < 2; ++n)
      EXPECT_TRUE(training.step());
    return training.state().weights;
  };
  std::vector<RpoOptions> forms(8);
  forms[1].sampled = Sampled::kOneRound;
  forms[2].sampled = Sampled::kOneRoundCommonNoise;
  forms[3].return_kind = ReturnKind::kInversions;
  forms[4].return_kind = ReturnKind::kLogError;
  forms[5].advantage = Advantage::kGroup;
  forms[6].advantage = Advantage::kNone;
  forms[7].advantage_scale = AdvantageScale::kDeviation;
  std::set<std::vector<float>> weights;
  for (const RpoOptions& form : forms)
    weights.insert(trained(form));
  EXPECT_THAT(weights, SizeIs(forms.size()));
  const RelevanceNetwork initial = random_agent(5);
  EXPECT_FALSE(weights.contains({initial.weights().begin(), initial.weights().end()}));
}

TEST(RpoTraining, ValidatesWithTheReturnThatItTrainsFor) {
  RpoOptions options;
  options.max_budget = 2;
  RpoEnvironment held_out = environment(8);
  held_out.n_held_out = 4;
  std::set<double> values;
  for (const auto kind : {ReturnKind::kSpearman, ReturnKind::kInversions, ReturnKind::kLogError}) {
    options.return_kind = kind;
    values.insert(RpoTraining::create(random_agent(5), held_out, options)->validate().value());
  }
  EXPECT_THAT(values, SizeIs(3));
  EXPECT_LT(*values.begin(), 0.9) << "the logarithm tells them from 1";
}

TEST(RpoTraining, WeightsThatAreNotFiniteAreNotGoneOnFrom) {
  auto training = RpoTraining::create(untrained(), environment(1), {}).value();
  for (const auto of : {&RpoState::weights, &RpoState::best_weights}) {
    RpoState broken = training.state();
    broken.best_weights = broken.weights;
    ASSERT_TRUE(training.restore(broken));
    (broken.*of)[1] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(training.restore(broken));
  }
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

TEST(RpoTraining, OptionsThatMakeNoSenseAreErrors) {
  RpoOptions options;
  options.advantage = Advantage::kGroup;
  options.rollouts = 1;
  const auto training = RpoTraining::create(untrained(), environment(1), options);
  ASSERT_FALSE(training);
  EXPECT_THAT(training.error().message(), HasSubstr("a group needs at least 2"));
  EXPECT_FALSE(RpoTraining::create(untrained(), {}, RpoOptions{}));
  options.advantage = Advantage::kReference;
  EXPECT_TRUE(RpoTraining::create(untrained(), environment(1), options));
  options.advantage_scale = AdvantageScale::kDeviation;
  EXPECT_THAT(RpoTraining::create(untrained(), environment(1), options).error().message(),
              HasSubstr("a deviation needs at least 2"));
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

TEST(Rollout, AgentsGetTheNumberOfEncodingsLeft) {
  AlternatingScorer scorer(3, 16);
  const auto trajectory = greedy(untrained(), scorer, {.budget = 3});
  ASSERT_THAT(trajectory.actions, SizeIs(3));
  for (std::size_t n = 0; n < 3; ++n) {
    const AgentInput& input = trajectory.actions[n].input;
    const std::size_t last = input.n_rounds - 1;
    EXPECT_EQ(feature(input, last, 0, "encodings left"), static_cast<float>(2 - n) / 4);
    EXPECT_EQ(feature(input, last, 0, "no budget"), 0);
    EXPECT_EQ(feature(input, last, 0, "answer"), n == 2 ? 1 : 0);
  }
}

TEST(Rollout, ProbabilitiesAreThoseUnderTheAgentThatGaveTheRanking) {
  AlternatingScorer scorer(6, kItems);
  std::mt19937_64 random(1);
  const RelevanceNetwork agent = random_agent(4);
  const std::vector<Actor> actors{{.agent = &agent, .random = &random}, {.agent = &agent}};
  const auto trajectories = roll_out(actors, scorer, {.budget = 2}).value();
  for (const Trajectory& trajectory : trajectories) {
    for (const RolloutAction& action : trajectory.actions) {
      const auto scores = agent.scores({&action.input, 1}).front();
      EXPECT_NEAR(action.log_probability, log_likelihood(scores, action.ranking).value, 1e-3);
      EXPECT_LT(action.log_probability, 0);
    }
  }
}

TEST(Rollout, GreedyIsWhatDecodingReturns) {
  for (const Draft draft : {Draft::kFirstToken, Draft::kInput}) {
    for (std::size_t budget = 1; budget < 4; ++budget) {
      AlternatingScorer scorer(4, kItems);
      const RelevanceNetwork agent = random_agent(3);
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
  const RelevanceNetwork other = random_agent(7);
  const RolloutOptions options{.budget = 3};
  AlternatingScorer scorer(5, kItems);
  const std::vector<Actor> actors{{.agent = &one}, {.agent = &other}, {.agent = &one}};
  const auto together = roll_out(actors, scorer, options).value();
  EXPECT_EQ(together[0].answer, greedy(one, scorer, options).answer);
  EXPECT_EQ(together[1].answer, greedy(other, scorer, options).answer);
  EXPECT_EQ(together[2].answer, together[0].answer);
  EXPECT_NE(together[1].answer, together[0].answer);
}

TEST(Rollout, NoiseIsAddedByItemAndSharedByTheActorsThatHaveIt) {
  AlternatingScorer scorer(5, kItems);
  const RelevanceNetwork agent = random_agent(7);
  // So strong that it alone decides the first two rankings.
  const std::vector<std::vector<double>> noise{{3e3, 7e3, 1e3, 5e3, 0, 6e3, 2e3, 4e3},
                                               {2e3, 0, 4e3, 6e3, 7e3, 1e3, 5e3, 3e3}};
  const std::vector<Actor> actors{
      {.agent = &agent, .noise = noise}, {.agent = &agent, .noise = noise}, {.agent = &agent}};
  const auto trajectories = roll_out(actors, scorer, {.budget = 3}).value();
  EXPECT_EQ(trajectories[0].answer, trajectories[1].answer);
  const auto& actions = trajectories[0].actions;
  ASSERT_THAT(actions, SizeIs(3));
  for (std::size_t round = 0; round < 2; ++round) {
    const auto noise_of = [&](std::size_t i) {
      return noise[round][actions[round].input.items[i].slot()];
    };
    EXPECT_TRUE(std::ranges::is_sorted(actions[round].ranking, std::greater(), noise_of));
  }
  const auto scores = agent.scores({&actions[2].input, 1}).front();
  EXPECT_TRUE(std::ranges::is_sorted(actions[2].ranking, std::greater(),
                                     [&](std::size_t i) { return scores[i]; }));
}

TEST(Rollout, SharedEncodingsChangeNothingButTheirNumber) {
  const RelevanceNetwork agent = random_agent(7);
  Tally tally;
  CountingScorer scorer(5, kItems, tally);
  std::vector<std::vector<Trajectory>> played;
  std::vector<std::size_t> counts;
  for (const bool shares : {false, true}) {
    std::mt19937_64 random(1);
    const Actor late{.agent = &agent, .random = &random, .first_sampled = 1, .end_sampled = 2};
    const std::vector<Actor> actors{{.agent = &agent}, late, late};
    tally = {};
    played.push_back(roll_out(actors, scorer, {.budget = 3, .shares_encodings = shares}).value());
    counts.push_back(tally.encodings);
  }
  for (std::size_t g = 0; g < 3; ++g) {
    EXPECT_EQ(rankings_of(played[0][g]), rankings_of(played[1][g]));
    EXPECT_EQ(played[0][g].answer, played[1][g].answer);
  }
  EXPECT_THAT(counts, testing::ElementsAre(1 + 3 + 3, 1 + 1 + 3));
}

}  // namespace
}  // namespace rsd
