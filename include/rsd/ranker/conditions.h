// The conditions on which rankings depend besides the requests. An interrupted run keeps them with
// its results, and the run that continues compares them (rsd/data/resumable_output.h).
#pragma once

#include "rsd/core/result.h"
#include "rsd/data/resumable_output.h"
#include "rsd/ranker/engine_options.h"
#include "rsd/ranker/rank_options.h"

namespace rsd {

// The files by name, size and time of their last change, a remote LLM by its server's name for it,
// and this version of rsd. The servers of a remote LLM must have been asked (with_served_model).
// Errors of model_file(): the default model may be missing.
Result<Conditions> engine_conditions(const EngineOptions& options);

// The same, and how each request is ranked: the decoder, its policy, budget and deadline, and the
// windows. Not RankOptions::previous, which belongs to one request. Reads the agent. Errors of
// engine_conditions and named_policies.
Result<Conditions> ranking_conditions(const EngineOptions& engine, const RankOptions& options);

}  // namespace rsd
