#include "rsd/train/rpo.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/decode/decoding.h"
#include "rsd/rank/agreement.h"
#include "rsd/train/collect.h"
#include "rsd/train/rollout.h"

namespace rsd {
namespace {

Error diverged(std::size_t step) {
  return {ErrorCode::kRuntime,
          "the training diverged: the gradient of step " + std::to_string(step) + " is not finite"};
}

Result<void> check_options(const RpoOptions& options) {
  if (options.requests_per_step == 0)
    return invalid_argument("requests_per_step must be at least 1");
  if (options.max_budget == 0) return invalid_argument("max_budget must be at least 1");
  if (options.passes == 0) return invalid_argument("passes must be at least 1");
  if (options.rollouts == 0) return invalid_argument("rollouts must be at least 1");
  if (options.advantage == Advantage::kGroup && options.rollouts < 2) {
    return invalid_argument("rollouts is 1; a group needs at least 2");
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

// All small budgets, and ever fewer of the large ones, which differ less: 1, 2, 3, 4, 6, 9, 13, …
std::size_t next_budget(std::size_t budget) {
  return std::max(budget + 1, budget * 3 / 2);
}

}  // namespace

// The actions of one step, and sums of their trajectories' returns.
struct RpoTraining::Batch {
  std::vector<AgentInput> inputs;
  std::vector<Action> actions;
  double sum_of_returns = 0;
  double sum_of_reference_returns = 0;
  std::size_t n_trajectories = 0;
};

RpoTraining::RpoTraining(RelevanceNetwork initial, RpoEnvironment environment,
                         const RpoOptions& options)
    : options_(options),
      environment_(std::move(environment)),
      network_(initial),
      reference_(std::move(initial)) {
  state_.weights.assign(network_.weights().begin(), network_.weights().end());
}

Result<RpoTraining> RpoTraining::create(RelevanceNetwork initial, RpoEnvironment environment,
                                        const RpoOptions& options) {
  if (auto checked = check_options(options); !checked) return checked.error();
  if (environment.n_requests <= environment.n_held_out) {
    return invalid_argument("there are no requests to learn from");
  }
  return RpoTraining(std::move(initial), std::move(environment), options);
}

Result<void> RpoTraining::restore(RpoState state) {
  const std::size_t size = network_.weights().size();
  if (!fits(state.weights, size) || !fits(state.adamw, size) ||
      (!state.best_weights.empty() && !fits(state.best_weights, size))) {
    return Error(ErrorCode::kInvalidInput, "it is of a network of another size, or damaged");
  }
  state_ = std::move(state);
  std::ranges::copy(state_.weights, network_.weights().begin());
  return {};
}

RelevanceNetwork RpoTraining::best() const {
  RelevanceNetwork best = network_;
  if (!state_.best_weights.empty()) std::ranges::copy(state_.best_weights, best.weights().begin());
  return best;
}

bool RpoTraining::is_validation_due() const noexcept {
  return options_.validate_every > 0 && environment_.n_held_out > 0 &&
         (state_.step % options_.validate_every == 0 || finished());
}

Result<const Ranking*> RpoTraining::target_of(std::size_t request, PositionScorer& scorer) {
  if (!targets_.contains(request)) {
    auto target = target_ranking(scorer);
    if (!target) return target.error();
    targets_.emplace(request, *std::move(target));
  }
  return &targets_.at(request);
}

// At most n_items - 1, after which all positions are known, and at most max_budget.
std::size_t RpoTraining::most_encodings(const PositionScorer& scorer) const {
  return std::clamp<std::size_t>(scorer.n_items() - 1, 1, options_.max_budget);
}

Result<double> RpoTraining::validate() {
  RSD_CHECK(environment_.n_held_out > 0, "requests to validate on");
  double sum = 0;
  double count = 0;
  const Actor greedy{.agent = &network_};
  for (std::size_t n = environment_.n_requests - environment_.n_held_out;
       n < environment_.n_requests; ++n) {
    auto scorer = environment_.open(n);
    if (!scorer) return scorer.error();
    const auto target = target_of(n, **scorer);
    if (!target) return target.error();
    const std::size_t most = most_encodings(**scorer);
    for (std::size_t budget = 1; budget <= most; budget = next_budget(budget)) {
      const RolloutOptions rollout{.budget = budget,
                                   .draft = default_draft(DecoderKind::kRsd, budget),
                                   .threads = options_.threads};
      const auto trajectories = roll_out({&greedy, 1}, **scorer, rollout);
      if (!trajectories) return trajectories.error();
      sum += spearman_return(trajectories->front().answer, **target);
      ++count;
    }
  }
  const double mean = sum / count;
  if (!state_.best_return || mean > *state_.best_return) {
    state_.best_return = mean;
    state_.best_weights = state_.weights;
  }
  return mean;
}

Result<void> RpoTraining::play(std::size_t request, std::uint64_t seed, Batch& batch) {
  auto opened = environment_.open(request);
  if (!opened) return opened.error();
  PositionScorer& scorer = **opened;
  const auto found = target_of(request, scorer);
  if (!found) return found.error();
  const Ranking& target = **found;

  std::mt19937_64 random(seed);
  RolloutOptions rollout{.budget = 1 + random() % most_encodings(scorer),
                         .threads = options_.threads};
  rollout.draft = default_draft(DecoderKind::kRsd, rollout.budget);
  std::vector<Actor> actors(options_.rollouts, {.agent = &network_, .random = &random});
  actors.push_back({.agent = &reference_});
  auto trajectories = roll_out(actors, scorer, rollout);
  if (!trajectories) return trajectories.error();

  std::vector<double> returns;
  returns.reserve(trajectories->size());
  for (const Trajectory& trajectory : *trajectories)
    returns.push_back(spearman_return(trajectory.answer, target));
  const double reference_return = returns.back();
  returns.pop_back();
  const auto advantages = options_.advantage == Advantage::kReference
                              ? reference_advantages(returns, reference_return)
                              : group_advantages(returns);
  for (std::size_t g = 0; g < returns.size(); ++g) {
    for (RolloutAction& action : (*trajectories)[g].actions) {
      batch.inputs.push_back(std::move(action.input));
      batch.actions.push_back({.ranking = std::move(action.ranking),
                               .reference_scores = {},
                               .old_log_probability = action.log_probability,
                               .advantage = advantages[g]});
    }
    batch.sum_of_returns += returns[g];
    batch.sum_of_reference_returns += reference_return;
    ++batch.n_trajectories;
  }
  return {};
}

// One descent step on the mean loss over the trajectories.
Result<void> RpoTraining::update(const Batch& batch, Step& step) {
  auto slopes = network_.scores(batch.inputs, options_.threads);
  const double share = 1 / static_cast<double>(batch.n_trajectories);
  const double of_actions = 1 / static_cast<double>(batch.actions.size());
  step.loss = step.kl = step.entropy = step.clipped = 0;
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    ActionLoss loss = action_loss(slopes[i], batch.actions[i], options_.terms);
    step.loss += share * loss.loss.value;
    step.kl += of_actions * loss.kl;
    step.entropy += of_actions * loss.entropy;
    step.clipped += loss.clipped ? of_actions : 0;
    for (double& slope : loss.loss.gradient)
      slope *= share;
    slopes[i] = std::move(loss.loss.gradient);
  }
  auto gradient = network_.gradient(batch.inputs, slopes, options_.threads);
  step.gradient_norm = clip_norm(gradient, options_.gradient_norm);
  if (!std::isfinite(step.gradient_norm)) return diverged(state_.step);
  AdamWOptions adamw = options_.adamw;
  adamw.learning_rate = step.learning_rate;
  adamw_step(network_.weights(), gradient, adamw, state_.adamw);
  return {};
}

Result<RpoTraining::Step> RpoTraining::step() {
  std::mt19937_64 random(options_.seed * 0x9e3779b97f4a7c15ULL + state_.step);
  Batch batch;
  for (std::size_t n = 0; n < options_.requests_per_step; ++n) {
    const std::size_t request = random() % (environment_.n_requests - environment_.n_held_out);
    if (auto done = play(request, random(), batch); !done) return done.error();
  }
  const double share = 1 / static_cast<double>(batch.n_trajectories);
  Step step{.mean_return = batch.sum_of_returns * share,
            .reference_return = batch.sum_of_reference_returns * share,
            .learning_rate = scheduled_rate(options_.learning_rate, state_.step, options_.warm_up,
                                            options_.steps)};
  if (!batch.actions.empty()) {
    auto references = reference_.scores(batch.inputs, options_.threads);
    for (std::size_t i = 0; i < references.size(); ++i)
      batch.actions[i].reference_scores = std::move(references[i]);
    for (std::size_t pass = 0; pass < options_.passes; ++pass)
      if (auto updated = update(batch, step); !updated) return updated.error();
  }
  state_.weights.assign(network_.weights().begin(), network_.weights().end());
  ++state_.step;
  return step;
}

}  // namespace rsd
