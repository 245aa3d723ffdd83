// What an agent's file says of how it was made. Internal.
#pragma once

#include <string>

#include "rsd/agent/agent_file.h"
#include "rsd/train/training.h"

namespace rsd {

// What a training run adds to the notes of the agent that it starts from (empty without one): each
// note says what was used, so the options of a stage that was left out are not there.
struct TrainingNotes {
  const TrainingOptions& options;
  std::string model;  // the LLM that the traces or the trajectories are of; empty = unknown

  AgentNotes on_top_of(AgentNotes before) const;
};

}  // namespace rsd
