// The options of `rsd train`.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "options/engine_options.h"
#include "rsd/train/training.h"

namespace rsd::cli {

struct TrainOptions {
  EngineFlags engine;
  TrainingOptions training;  // except for the fields below
  std::string supervised_loss = "likelihood";
  std::string sampled = "all";
  std::string return_kind = "spearman";
  std::string advantage = "reference";
  std::string advantage_scale = "none";
  bool no_listwise = false;
  bool no_history = false;
};

void add_train_options(CLI::App& command, TrainOptions& options);

}  // namespace rsd::cli
