#include "rsd/train/supervised.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/rank/agreement.h"
#include "rsd/train/hold_out.h"
#include "rsd/train/plackett_luce.h"

namespace rsd {
namespace {

constexpr double kLeastGain = 1e-4;  // of Kendall's tau: smaller gains do not prolong the training

Result<void> check_options(const SupervisedOptions& options) {
  if (options.batch == 0) return invalid_argument("batch is 0; it must be at least 1");
  if (options.validate_every == 0)
    return invalid_argument("validate_every is 0; it must be at least 1");
  if (!(options.learning_rate > 0)) return invalid_argument("learning_rate must be above 0");
  if (!(options.gradient_norm > 0)) return invalid_argument("gradient_norm must be above 0");
  if (options.threads < 1) return invalid_argument("threads must be at least 1");
  return {};
}

// True if some episode has at least two pending items after its first round.
bool leaves_something(const std::vector<Episode>& episodes) {
  return std::ranges::any_of(episodes, [](const Episode& episode) {
    return episode.history.rounds().front().known + 2 <= episode.target.size();
  });
}

struct Example {
  AgentInput input;
  std::vector<std::size_t> order;
  std::size_t n_all = 0;  // items of the request, known ones included
};

// nullopt if nothing is left to order.
std::optional<Example> example_of(const Episode& episode, std::size_t n_rounds,
                                  std::optional<std::size_t> encodings_left,
                                  const InputOptions& options) {
  const History history = episode.history.after(n_rounds);
  if (history.n_items() - history.known().size() < 2) return std::nullopt;
  return Example{.input = agent_input(history, encodings_left, options),
                 .order = open_order(history, episode.target),
                 .n_all = history.n_items()};
}

// The loss of one example, with its gradient.
ValueAndGradient loss_of(std::span<const double> scores, const Example& example,
                         SupervisedLoss kind) {
  const auto n = static_cast<double>(example.n_all);
  const bool likelihood = kind == SupervisedLoss::kLikelihood;
  const double scale = likelihood ? -1 / (n - 1) : 2 / (n * (n - 1));
  ValueAndGradient loss = likelihood ? log_likelihood(scores, example.order)
                                     : expected_inversions(scores, example.order);
  loss.value *= scale;
  for (double& slope : loss.gradient)
    slope *= scale;
  return loss;
}

// Kendall's tau of the whole ranking, whose known prefix agrees with the target.
double tau(std::span<const double> scores, const Example& example) {
  const auto pairs = [](std::size_t n) { return static_cast<double>(n * (n - 1)) / 2; };
  std::vector<ItemId> target(example.order.begin(), example.order.end());
  const double distance =
      kemeny_distance(Ranking::by_score(scores), Ranking::create(std::move(target)).value());
  return 1 - 2 * distance * pairs(example.order.size()) / pairs(example.n_all);
}

}  // namespace

SupervisedTraining::SupervisedTraining(RelevanceNetwork network, const SupervisedOptions& options)
    : options_(options), network_(std::move(network)) {
  state_.weights.assign(network_.weights().begin(), network_.weights().end());
}

Result<SupervisedTraining> SupervisedTraining::create(RelevanceNetwork network,
                                                      std::vector<Episode> episodes,
                                                      const SupervisedOptions& options) {
  if (auto checked = check_options(options); !checked) return checked.error();
  std::vector<std::string> keys;
  keys.reserve(episodes.size());
  for (const Episode& episode : episodes)
    keys.push_back(episode.split_key);
  const HoldOut split = hold_out(keys);
  if (split.training.empty()) {
    return Error(ErrorCode::kInvalidInput, "of " + std::to_string(keys.size()) +
                                               " traces none is left to train on: all are of "
                                               "queries or users that are held out");
  }
  SupervisedTraining training(std::move(network), options);
  for (const std::size_t i : split.training)
    training.training_.push_back(std::move(episodes[i]));
  for (const std::size_t i : split.held_out)
    training.validation_.push_back(std::move(episodes[i]));
  if (!leaves_something(training.training_)) {
    return Error(ErrorCode::kInvalidInput,
                 "there is nothing to learn: all is known after the first round");
  }
  if (!leaves_something(training.validation_)) training.validation_.clear();
  return training;
}

bool SupervisedTraining::finished() const noexcept {
  return state_.step >= options_.steps || state_.without_gain >= options_.patience;
}

Result<void> SupervisedTraining::restore(SupervisedState state) {
  const std::size_t size = network_.weights().size();
  if (!fits(state.weights, size) || !fits(state.adamw, size) ||
      (!state.best_weights.empty() && !fits(state.best_weights, size))) {
    return Error(ErrorCode::kInvalidInput, "it is of a network of another size, or damaged");
  }
  state_ = std::move(state);
  std::ranges::copy(state_.weights, network_.weights().begin());
  return {};
}

Result<SupervisedTraining::Step> SupervisedTraining::step() {
  std::mt19937_64 random(options_.seed * 0x9e3779b97f4a7c15ULL + state_.step);
  std::vector<AgentInput> inputs;
  std::vector<Example> examples;
  // Episodes that are completely known after one round give no example; others are drawn instead.
  for (std::size_t tries = 0; inputs.size() < options_.batch && tries < 100 * options_.batch;
       ++tries) {
    const Episode& episode = training_[random() % training_.size()];
    const std::size_t n_rounds = 1 + random() % episode.history.rounds().size();
    const std::size_t left = random() % 6;  // 5 means no budget
    auto example = example_of(episode, n_rounds, left == 5 ? std::nullopt : std::optional(left),
                              network_.shape().input);
    if (!example) continue;
    inputs.push_back(std::move(example->input));
    examples.push_back(*std::move(example));
  }
  Step done{.learning_rate = scheduled_rate(options_.learning_rate, state_.step, options_.warm_up,
                                            options_.steps)};
  auto slopes = network_.scores(inputs, options_.threads);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    ValueAndGradient loss = loss_of(slopes[i], examples[i], options_.loss);
    done.loss += loss.value / static_cast<double>(inputs.size());
    for (double& slope : loss.gradient)
      slope /= static_cast<double>(inputs.size());
    slopes[i] = std::move(loss.gradient);
  }
  auto gradient = network_.gradient(inputs, slopes, options_.threads);
  done.gradient_norm = clip_norm(gradient, options_.gradient_norm);
  if (!std::isfinite(done.gradient_norm)) {
    return Error(ErrorCode::kRuntime, "the training diverged: the gradient of step " +
                                          std::to_string(state_.step) + " is not finite");
  }
  AdamWOptions adamw = options_.adamw;
  adamw.learning_rate = done.learning_rate;
  adamw_step(network_.weights(), gradient, adamw, state_.adamw);
  state_.weights.assign(network_.weights().begin(), network_.weights().end());
  ++state_.step;
  return done;
}

bool SupervisedTraining::is_validation_due() const noexcept {
  return !validation_.empty() && (state_.step % options_.validate_every == 0 || finished());
}

Validation SupervisedTraining::validate() {
  RSD_CHECK(!validation_.empty(), "episodes to validate on");
  Validation sum;
  std::size_t count = 0;
  for (const Episode& episode : validation_) {
    for (std::size_t n_rounds = 1; n_rounds <= episode.history.rounds().size(); ++n_rounds) {
      const auto example = example_of(episode, n_rounds, 0, network_.shape().input);
      if (!example) break;
      const auto scores = network_.scores({&example->input, 1}, options_.threads).front();
      const std::vector<double> base(example->input.base.begin(), example->input.base.end());
      sum.loss += loss_of(scores, *example, options_.loss).value;
      sum.kendall_tau += tau(scores, *example);
      sum.heuristic_kendall_tau += tau(base, *example);
      ++count;
    }
  }
  const double share = 1 / static_cast<double>(count);
  const Validation mean{.loss = sum.loss * share,
                        .kendall_tau = sum.kendall_tau * share,
                        .heuristic_kendall_tau = sum.heuristic_kendall_tau * share};
  const auto& best = state_.best_kendall_tau;
  const double gain = best ? mean.kendall_tau - *best : kLeastGain;
  state_.without_gain = gain < kLeastGain ? state_.without_gain + 1 : 0;
  if (!best || gain > 0) {
    state_.best_kendall_tau = mean.kendall_tau;
    state_.best_weights = state_.weights;
  }
  return mean;
}

RelevanceNetwork SupervisedTraining::best() const {
  RelevanceNetwork network = network_;
  const auto& weights = state_.best_weights.empty() ? state_.weights : state_.best_weights;
  std::ranges::copy(weights, network.weights().begin());
  return network;
}

}  // namespace rsd
