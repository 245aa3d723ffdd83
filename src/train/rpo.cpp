#include "rsd/train/rpo.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/decode/decoding.h"
#include "rsd/train/collect.h"
#include "rsd/train/rollout.h"
#include "train/rpo_batch.h"

namespace rsd {
namespace {

Error diverged(std::size_t step) {
  return {ErrorCode::kRuntime,
          "the training diverged: the gradient of step " + std::to_string(step) + " is not finite"};
}

// All small budgets, and ever fewer of the large ones, which differ less: 1, 2, 3, 4, 6, 9, 13, …
std::size_t next_budget(std::size_t budget) {
  return std::max(budget + 1, budget * 3 / 2);
}

}  // namespace

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
    const std::size_t most = largest_budget((*scorer)->n_items(), options_.max_budget);
    for (std::size_t budget = 1; budget <= most; budget = next_budget(budget)) {
      const RolloutOptions rollout{.budget = budget,
                                   .draft = default_draft(DecoderKind::kRsd, budget),
                                   .threads = options_.threads};
      const auto trajectories = roll_out({&greedy, 1}, **scorer, rollout);
      if (!trajectories) return trajectories.error();
      sum += return_of(options_.return_kind, trajectories->front().answer, **target);
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

// Adds the plays of a request to `batch`, and their returns to the sums of returns.
Result<void> RpoTraining::play_request(std::size_t request, std::uint64_t seed, RpoBatch& batch,
                                       Step& sums) {
  auto opened = environment_.open(request);
  if (!opened) return opened.error();
  const auto target = target_of(request, **opened);
  if (!target) return target.error();
  auto played = play({.agent = network_, .reference = reference_}, **opened, options_, seed);
  if (!played) return played.error();
  const auto worth = [&](const Trajectory& trajectory) {
    return return_of(options_.return_kind, trajectory.answer, **target);
  };
  const double reference_return = worth(played->reference);
  std::vector<double> returns;
  returns.reserve(played->plays.size());
  for (const Play& one : played->plays) {
    returns.push_back(worth(one.trajectory));
    sums.mean_return += returns.back();
    sums.reference_return += reference_return;
  }
  batch.add(*std::move(played),
            advantages_of(options_.advantage, options_.advantage_scale, returns, reference_return));
  return {};
}

// One descent step on the mean loss over the trajectories.
Result<void> RpoTraining::update(const RpoBatch& batch, Step& step) {
  RpoGradient of_loss = gradient_of(network_, batch, options_.terms, options_.threads);
  step.loss = of_loss.loss;
  step.kl = of_loss.kl;
  step.entropy = of_loss.entropy;
  step.clipped = of_loss.clipped;
  step.gradient_norm = clip_norm(of_loss.gradient, options_.gradient_norm);
  if (!std::isfinite(step.gradient_norm)) return diverged(state_.step);
  AdamWOptions adamw = options_.adamw;
  adamw.learning_rate = step.learning_rate;
  adamw_step(network_.weights(), of_loss.gradient, adamw, state_.adamw);
  return {};
}

Result<RpoTraining::Step> RpoTraining::step() {
  std::mt19937_64 random(options_.seed * 0x9e3779b97f4a7c15ULL + state_.step);
  RpoBatch batch;
  Step step{.learning_rate = scheduled_rate(options_.learning_rate, state_.step, options_.warm_up,
                                            options_.steps)};
  for (std::size_t n = 0; n < options_.requests_per_step; ++n) {
    const std::size_t request = random() % (environment_.n_requests - environment_.n_held_out);
    if (auto done = play_request(request, random(), batch, step); !done) return done.error();
  }
  const double share = 1 / static_cast<double>(batch.n_trajectories);
  step.mean_return *= share;
  step.reference_return *= share;
  if (!batch.actions.empty()) {
    batch.compare_with(reference_, options_.threads);
    for (std::size_t pass = 0; pass < options_.passes; ++pass)
      if (auto updated = update(batch, step); !updated) return updated.error();
  }
  state_.weights.assign(network_.weights().begin(), network_.weights().end());
  ++state_.step;
  return step;
}

}  // namespace rsd
