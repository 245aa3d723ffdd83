#include <utility>

#include "rsd/core/log_to.h"
#include "rsd/core/machine.h"
#include "train/training_metrics.h"
#include "train/training_stages.h"

namespace rsd {
namespace {

SupervisedOptions supervised_options(const TrainingOptions& options) {
  SupervisedOptions supervised;
  supervised.loss = options.supervised_loss;
  supervised.steps = options.supervised_steps;
  supervised.seed = options.seed;
  supervised.threads = thread_count(options.threads);
  return supervised;
}

}  // namespace

Result<RelevanceNetwork> learn_from_traces(TrainingRun& run, const RelevanceNetwork& start,
                                           std::vector<Episode> episodes) {
  const SupervisedOptions options = supervised_options(run.options);
  auto created = SupervisedTraining::create(start, std::move(episodes), options);
  if (!created) return created.error();
  SupervisedTraining& training = *created;
  if (!training.validates()) {
    log_to(run.options.log, LogLevel::kWarning,
           "no trace is of a query or user that is held out: nothing is validated on");
  }
  Checkpoint& checkpoint = run.checkpoint;
  if (checkpoint.supervised) {
    if (auto restored = training.restore(*checkpoint.supervised); !restored) {
      return restored.error().within(run.folder.path("checkpoint.cbor"));
    }
  }
  TrainingProgress progress{.stage = TrainingStage::kSupervised, .total = options.steps};
  // The agent that it starts from is one of those that the best is chosen from.
  for (bool begins = !checkpoint.supervised; begins || !training.finished(); begins = false) {
    if (!begins) {
      const auto step = training.step();
      if (!step) return step.error();
      run.folder.record(metrics_of(*step, training.state().step));
    }
    if (training.is_validation_due()) {
      progress.validation = training.validate();
      run.folder.record(metrics_of(*progress.validation, training.state().step));
    }
    if (training.state().step % options.validate_every == 0 || training.finished()) {
      checkpoint.supervised = training.state();
      if (auto saved = run.folder.save(checkpoint); !saved) return saved.error();
    }
    progress.done = training.state().step;
    run.show(progress);
  }
  return training.best();
}

}  // namespace rsd
