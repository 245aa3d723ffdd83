#include <algorithm>
#include <utility>

#include "rsd/core/log_to.h"
#include "rsd/core/machine.h"
#include "train/training_metrics.h"
#include "train/training_stages.h"

namespace rsd {
namespace {

constexpr std::size_t kMostHeldOut = 32;  // requests that RPO validates on, each with every budget

// `order` has the places of the environment's requests: those to learn from, then those held out.
RpoEnvironment environment_of(const TrainingRun& run, std::vector<std::size_t>& order) {
  HoldOut split = split_of(run.requests);
  if (split.held_out.empty()) {
    log_to(run.options.log, LogLevel::kWarning,
           "no request is of a query or user that is held out: RPO validates on none");
  }
  split.held_out.resize(std::min(split.held_out.size(), kMostHeldOut));
  order = std::move(split.training);
  order.insert(order.end(), split.held_out.begin(), split.held_out.end());
  return {.n_requests = order.size(),
          .n_held_out = split.held_out.size(),
          .open = [&](std::size_t number) { return run.llm.open(run.requests[order[number]]); }};
}

}  // namespace

RpoOptions rpo_options(const TrainingOptions& options) {
  RpoOptions rpo;
  rpo.steps = options.rpo_steps;
  rpo.requests_per_step = options.requests_per_step;
  rpo.rollouts = options.rollouts;
  rpo.max_budget = options.budget;
  rpo.terms.beta = options.beta;
  rpo.learning_rate = options.rpo_learning_rate;
  rpo.sampled = options.sampled;
  rpo.return_kind = options.return_kind;
  rpo.advantage = options.advantage;
  rpo.advantage_scale = options.advantage_scale;
  rpo.seed = options.seed;
  rpo.threads = thread_count(options.threads);
  return rpo;
}

Result<RelevanceNetwork> optimise(TrainingRun& run, RelevanceNetwork initial) {
  const RpoOptions options = rpo_options(run.options);
  std::vector<std::size_t> order;
  auto created = RpoTraining::create(std::move(initial), environment_of(run, order), options);
  if (!created) return created.error();
  RpoTraining& training = *created;
  Checkpoint& checkpoint = run.checkpoint;
  if (checkpoint.rpo) {
    if (auto restored = training.restore(*checkpoint.rpo); !restored) {
      return restored.error().within(run.folder.path("checkpoint.cbor"));
    }
  }
  TrainingProgress progress{.stage = TrainingStage::kRpo, .total = options.steps};
  for (bool begins = !checkpoint.rpo; begins || !training.finished(); begins = false) {
    progress.done = training.state().step;
    run.show(progress);
    if (!begins) {
      const auto step = training.step();
      if (!step) return step.error();
      run.folder.record(metrics_of(*step, training.state().step));
      progress.step = *step;
    }
    if (training.is_validation_due()) {
      const auto held_out_return = training.validate();
      if (!held_out_return) return held_out_return.error();
      run.folder.record(metrics_of_rpo_validation(*held_out_return, training.state().step));
      progress.held_out_return = *held_out_return;
    }
    checkpoint.rpo = training.state();
    if (auto saved = run.folder.save(checkpoint); !saved) return saved.error();
  }
  return training.best();
}

}  // namespace rsd
