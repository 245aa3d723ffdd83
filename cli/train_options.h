// The options of `rsd train`.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engine_options.h"

namespace rsd::cli {

struct TrainOptions {
  EngineFlags engine;
  std::vector<std::string> requests;
  std::optional<std::size_t> limit;
  std::vector<std::string> traces;
  std::string init;
  std::string out;
  std::size_t decodings = 4;
  std::size_t supervised_steps = 3000;
  std::string supervised_loss = "likelihood";
  bool supervised_only = false;
  std::size_t rpo_steps = 300;
  std::size_t rollouts = 6;
  std::size_t budget = 4;
  double rpo_learning_rate = 3e-4;
  double beta = 0.002;
  std::string advantage = "reference";
  bool no_listwise = false;
  bool no_history = false;
};

void add_train_options(CLI::App& command, TrainOptions& options);

}  // namespace rsd::cli
