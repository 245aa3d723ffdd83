// Trains an agent for an LLM and writes the report: `rsd train`.
#pragma once

#include "rsd/core/result.h"
#include "rsd/ranker/engine_options.h"
#include "rsd/train/training.h"

namespace rsd {

// run_training() for the LLM of `engine`, which is loaded when it is first needed: a training from
// traces alone needs none. Then writes report.html beside the metrics. Errors of run_training(),
// load_prompted() and write_file_atomically().
Result<TrainedAgent> train_agent(const EngineOptions& engine, const TrainingOptions& options,
                                 const OnTrainingProgress& on_progress = {});

}  // namespace rsd
