// What a training keeps beside its agent until it is deleted: traces, a checkpoint, metrics.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine_options.h"
#include "rsd/core/result.h"
#include "rsd/train/checkpoint.h"

namespace rsd::cli {

// The folder "<agent>.training". One process at a time.
class TrainingFolder {
 public:
  // Makes it, or goes on in it. kInvalidArgument: it was begun under other conditions, which are
  // told; kRuntime: it can't be made.
  static Result<TrainingFolder> open(const std::string& agent, const Conditions& conditions);

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string traces_path() const { return path("traces.jsonl"); }

  // What was saved last; an empty checkpoint where there is none. kInvalidInput names the file.
  Result<Checkpoint> load() const;
  // Metrics first, then the checkpoint, so that none that belong to it can be missing.
  Result<void> save(const Checkpoint& checkpoint);

  // A line of metrics.jsonl, written with the next checkpoint. It has "stage" and "step".
  void record(const nlohmann::ordered_json& metrics);
  // Of an interrupted run, what came behind its last checkpoint is dropped.
  Result<void> drop_behind(const Checkpoint& checkpoint);

 private:
  explicit TrainingFolder(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
  std::string metrics_;  // all lines so far
};

}  // namespace rsd::cli
