// The three stages of a training. Internal.
#pragma once

#include <vector>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"
#include "rsd/train/checkpoint.h"
#include "rsd/train/hold_out.h"
#include "rsd/train/training.h"
#include "train/training_folder.h"

namespace rsd {

// What all stages share; what an earlier run has done of them is in the folder and the checkpoint.
struct TrainingRun {
  const TrainingOptions& options;
  TrainingLlm& llm;
  const OnTrainingProgress& on_progress;
  TrainingFolder folder;
  Checkpoint checkpoint;
  std::vector<Request> requests;  // that the LLM can take

  void show(const TrainingProgress& progress) const {
    if (on_progress) on_progress(progress);
  }
};

HoldOut split_of(const std::vector<Request>& requests);
RpoOptions rpo_options(const TrainingOptions& options);

// Writes the requests' traces into the folder, but for those that are there. `agent` proposes in
// some of the decodings where it is one that the training starts from.
Result<void> collect_traces(const TrainingRun& run, const RelevanceNetwork& agent);
// The agent that fits the episodes best.
Result<RelevanceNetwork> learn_from_traces(TrainingRun& run, const RelevanceNetwork& start,
                                           std::vector<Episode> episodes);
// The agent whose own decodings of the requests end best.
Result<RelevanceNetwork> optimise(TrainingRun& run, RelevanceNetwork initial);

}  // namespace rsd
