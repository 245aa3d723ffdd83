// What a training learns from, and what it depends on. Internal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rsd/agent/agent_file.h"
#include "rsd/core/result.h"
#include "rsd/train/episode.h"
#include "rsd/train/training.h"

namespace rsd {

// The fewest digits that read back as the same number.
std::string shortest_decimal(double value);
std::string name_of(SupervisedLoss loss);
std::string name_of(Sampled sampled);
std::string name_of(ReturnKind kind);
std::string name_of(Advantage advantage);
std::string name_of(AdvantageScale scale);

// True if the training has a supervised stage, which learns from traces.
bool supervises(const TrainingOptions& options);

// The requests that an agent can learn from, with texts and order varied by the seed, and with ids
// that are unique over all files. kInvalidInput if there are files but no such request.
Result<std::vector<Request>> read_training_requests(const TrainingOptions& options);

// The agent of `init`, or an untrained one without notes.
Result<AgentFile> starting_agent(const TrainingOptions& options);

// The conditions that have to hold when the training is resumed; `of_llm` are the LLM's.
Conditions training_conditions(const TrainingOptions& options, Conditions of_llm);

// The episodes of traces that have a target and a round that is not it; other traces are skipped.
struct TraceEpisodes {
  std::vector<Episode> episodes;
  std::string model;  // as the first file names it, without its folder

  // kInvalidInput: no trace in all files so far is one to learn from.
  Result<void> read(const std::string& path, const LogSink& log);
};

}  // namespace rsd
