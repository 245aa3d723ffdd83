#include "train/rpo_batch.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/decode/decoding.h"
#include "rsd/train/plackett_luce.h"

namespace rsd {
namespace {

// An LLM keeps the proposal of each play in a lane of its memory. With more than these it would
// encode one play after the other (kMaxLanes in src/llm/lanes.h).
constexpr std::size_t kMostLanes = 32;

std::vector<double> noise_row(std::size_t n_items, std::mt19937_64& random) {
  std::vector<double> row(n_items);
  for (double& noise : row)
    noise = gumbel_noise(random);
  return row;
}

// Which rounds of which play are sampled, and from what.
class Sampling {
 public:
  Sampling(const RpoOptions& options, std::size_t budget, std::size_t n_items,
           std::mt19937_64& random)
      : sampled_(options.sampled), budget_(budget), random_(random) {
    if (sampled_ == Sampled::kAllRounds) return;
    // Neighbouring plays take neighbouring rounds, so that all are perturbed equally often.
    first_round_ = random() % budget;
    if (sampled_ == Sampled::kOneRound) return;
    for (std::size_t round = 0; round < budget; ++round)
      common_noise_.push_back(noise_row(n_items, random));
    for (std::size_t g = 0; g < options.rollouts; ++g) {
      noise_.push_back(common_noise_);
      noise_.back()[round_of(g)] = noise_row(n_items, random);
    }
  }

  std::size_t round_of(std::size_t g) const { return (first_round_ + g) % budget_; }

  Actor actor(const RelevanceNetwork& agent, std::size_t g) const {
    Actor actor{.agent = &agent};
    if (sampled_ == Sampled::kOneRoundCommonNoise) {
      actor.noise = noise_[g];
      return actor;
    }
    actor.random = &random_;
    if (sampled_ == Sampled::kOneRound) {
      actor.first_sampled = round_of(g);
      actor.end_sampled = round_of(g) + 1;
    }
    return actor;
  }

  // Greedy, or with the noise of all the rounds that the plays don't draw anew.
  Actor reference_actor(const RelevanceNetwork& reference) const {
    return {.agent = &reference, .noise = common_noise_};
  }

  Play play_of(Trajectory trajectory, std::size_t g) const {
    if (sampled_ == Sampled::kAllRounds) {
      return {.trajectory = std::move(trajectory), .first_learned = 0, .end_learned = budget_};
    }
    return {.trajectory = std::move(trajectory),
            .first_learned = round_of(g),
            .end_learned = round_of(g) + 1};
  }

  // Each round is perturbed in one of `budget` plays on average.
  double weight() const {
    return sampled_ == Sampled::kAllRounds ? 1 : static_cast<double>(budget_);
  }

 private:
  Sampled sampled_;
  std::size_t budget_;
  std::mt19937_64& random_;
  std::size_t first_round_ = 0;
  std::vector<std::vector<double>> common_noise_;        // [budget, n_items]
  std::vector<std::vector<std::vector<double>>> noise_;  // [rollouts, budget, n_items]
};

// Those of all actors, as many at once as fill the LLM's lanes.
Result<std::vector<Trajectory>> roll_out_in_lanes(std::span<const Actor> actors,
                                                  PositionScorer& scorer,
                                                  const RolloutOptions& options) {
  std::vector<Trajectory> all;
  for (; !actors.empty(); actors = actors.subspan(std::min(kMostLanes, actors.size()))) {
    auto some = roll_out(actors.first(std::min(kMostLanes, actors.size())), scorer, options);
    if (!some) return some.error();
    std::ranges::move(*some, std::back_inserter(all));
  }
  return all;
}

}  // namespace

Result<void> check_options(const RpoOptions& options) {
  if (options.requests_per_step == 0)
    return invalid_argument("requests_per_step must be at least 1");
  if (options.max_budget == 0) return invalid_argument("max_budget must be at least 1");
  if (options.passes == 0) return invalid_argument("passes must be at least 1");
  if (options.rollouts == 0) return invalid_argument("rollouts must be at least 1");
  if (options.advantage == Advantage::kGroup && options.rollouts < 2) {
    return invalid_argument("rollouts is 1; a group needs at least 2");
  }
  if (options.advantage_scale == AdvantageScale::kDeviation && options.rollouts < 2) {
    return invalid_argument("rollouts is 1; a deviation needs at least 2");
  }
  if (!(options.learning_rate > 0)) return invalid_argument("learning_rate must be above 0");
  if (!(options.gradient_norm > 0)) return invalid_argument("gradient_norm must be above 0");
  if (!(options.terms.clip > 0 && options.terms.clip < 1)) {
    return invalid_argument("clip must be between 0 and 1");
  }
  if (!(options.terms.beta >= 0)) return invalid_argument("beta must be at least 0");
  if (options.threads < 1) return invalid_argument("threads must be at least 1");
  return {};
}

std::size_t largest_budget(std::size_t n_items, std::size_t max_budget) {
  return std::clamp<std::size_t>(n_items - 1, 1, max_budget);
}

Result<RequestPlays> play(const RpoAgents& agents, PositionScorer& scorer,
                          const RpoOptions& options, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::size_t n_items = scorer.n_items();
  // Until its round, a play of one sampled round proposes what the reference and others propose.
  RolloutOptions rollout{.budget = 1 + random() % largest_budget(n_items, options.max_budget),
                         .threads = options.threads,
                         .shares_encodings = options.sampled != Sampled::kAllRounds};
  rollout.draft = default_draft(DecoderKind::kRsd, rollout.budget);
  const Sampling sampling(options, rollout.budget, n_items, random);
  std::vector<Actor> actors;
  actors.reserve(options.rollouts + 1);
  for (std::size_t g = 0; g < options.rollouts; ++g)
    actors.push_back(sampling.actor(agents.agent, g));
  actors.push_back(sampling.reference_actor(agents.reference));
  auto trajectories = roll_out_in_lanes(actors, scorer, rollout);
  if (!trajectories) return trajectories.error();

  RequestPlays played{
      .plays = {}, .reference = std::move(trajectories->back()), .weight = sampling.weight()};
  for (std::size_t g = 0; g < options.rollouts; ++g)
    played.plays.push_back(sampling.play_of(std::move((*trajectories)[g]), g));
  return played;
}

void RpoBatch::add(RequestPlays&& played, std::span<const double> advantages) {
  RSD_CHECK(advantages.size() == played.plays.size(), "an advantage for each play");
  for (std::size_t g = 0; g < played.plays.size(); ++g) {
    Play& one = played.plays[g];
    auto& its_actions = one.trajectory.actions;
    // A play whose positions are all known early may lack the round that was to be perturbed.
    const std::size_t end = std::min(one.end_learned, its_actions.size());
    for (std::size_t round = one.first_learned; round < end; ++round) {
      RolloutAction& action = its_actions[round];
      inputs.push_back(std::move(action.input));
      actions.push_back({.ranking = std::move(action.ranking),
                         .reference_scores = {},
                         .old_log_probability = action.log_probability,
                         .advantage = advantages[g],
                         .weight = played.weight});
      owners.push_back(n_trajectories);
    }
    ++n_trajectories;
  }
}

void RpoBatch::compare_with(const RelevanceNetwork& reference, int threads) {
  auto scores = reference.scores(inputs, threads);
  for (std::size_t i = 0; i < scores.size(); ++i)
    actions[i].reference_scores = std::move(scores[i]);
}

RpoGradient gradient_of(const RelevanceNetwork& agent, const RpoBatch& batch, const RpoTerms& terms,
                        int threads) {
  RSD_CHECK(!batch.actions.empty(), "a gradient of no action");
  auto slopes = agent.scores(batch.inputs, threads);
  const double share = 1 / static_cast<double>(batch.n_trajectories);
  const double of_actions = 1 / static_cast<double>(batch.actions.size());
  RpoGradient result;
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    ActionLoss loss = action_loss(slopes[i], batch.actions[i], terms);
    const double weight = share * batch.actions[i].weight;
    result.loss += weight * loss.loss.value;
    result.kl += of_actions * loss.kl;
    result.entropy += of_actions * loss.entropy;
    result.clipped += loss.clipped ? of_actions : 0;
    for (double& slope : loss.loss.gradient)
      slope *= weight;
    slopes[i] = std::move(loss.loss.gradient);
  }
  result.gradient = agent.gradient(batch.inputs, slopes, threads);
  return result;
}

}  // namespace rsd
