#include "commands/commands.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "options/engine_options.h"
#include "options/train_options.h"
#include "rsd/jobs/train_agent.h"
#include "rsd/train/rpo_names.h"
#include "terminal/exit_code.h"
#include "terminal/progress.h"

namespace rsd::cli {
namespace {

std::string fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string unit_of(TrainingStage stage) {
  switch (stage) {
    case TrainingStage::kTraces:
      return "requests traced";
    case TrainingStage::kSupervised:
      return "supervised steps";
    case TrainingStage::kRpo:
      return "RPO steps";
  }
  return "";
}

// The latest figures, which stand after the bar.
std::string note_of(const TrainingProgress& progress) {
  std::string note;
  if (const auto& validation = progress.validation) {
    note = "KT " + fixed(validation->kendall_tau) + " (heuristic " +
           fixed(validation->heuristic_kendall_tau) + ")";
  }
  if (const auto& step = progress.step) {
    note =
        "return " + fixed(step->mean_return) + " (reference " + fixed(step->reference_return) + ")";
    if (progress.held_out_return) note += ", held out " + fixed(*progress.held_out_return);
  }
  return note;
}

TrainingOptions training_options(const TrainOptions& options, const CommonOptions& common) {
  TrainingOptions training = options.training;
  training.supervised_loss = options.supervised_loss == "inversions" ? SupervisedLoss::kInversions
                                                                     : SupervisedLoss::kLikelihood;
  training.sampled = form_named(kSampledNames, options.sampled);
  training.return_kind = form_named(kReturnNames, options.return_kind);
  training.advantage = form_named(kAdvantageNames, options.advantage);
  training.advantage_scale = form_named(kAdvantageScaleNames, options.advantage_scale);
  training.listwise = !options.no_listwise;
  training.round_history = !options.no_history;
  training.seed = common.seed;
  training.threads = common.threads;
  return training;
}

Result<ExitCode> train(const TrainOptions& options, const CommonOptions& common) {
  const auto engine = engine_options(options.engine, common);
  if (!engine) return engine.error();
  ProgressBars bars;
  TrainingOptions training = training_options(options, common);
  training.log = bars.log_sink();
  const auto trained = train_agent(*engine, training, [&](const TrainingProgress& progress) {
    bars.show(unit_of(progress.stage), progress.done, progress.total, note_of(progress));
  });
  bars.clear();
  if (!trained) return trained.error();
  std::cout << training.out << "\n";
  return trained->n_left_out > 0 ? kSomeFailed : kSuccess;
}

}  // namespace

void add_train_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command =
      add_command(app, selected, "train", "Train the agent that proposes rankings to an LLM");
  add_train_options(*command, *options);
  set_run(*command, selected, [&selected, options] { return train(*options, selected.common); });
}

}  // namespace rsd::cli
