// What a training keeps beside its agent until it is deleted: traces, a checkpoint, metrics.
// Internal.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "data/file_lock.h"
#include "rsd/core/log.h"
#include "rsd/core/result.h"
#include "rsd/data/resumable_output.h"
#include "rsd/train/checkpoint.h"

namespace rsd {

// The folder "<agent>.training". One process at a time.
class TrainingFolder {
 public:
  // Creates the folder, or continues in it; waits for another process that is training there.
  // kInvalidArgument: the training was begun under other conditions, which the message names;
  // kRuntime: the folder can't be created.
  static Result<TrainingFolder> open(const std::string& agent, const Conditions& conditions,
                                     const LogSink& log);

  // Writes the conditions; to be called before the first result is kept.
  Result<void> begin() const;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string traces_path() const { return path("traces.jsonl"); }
  std::string metrics_path() const { return path("metrics.jsonl"); }

  // The latest checkpoint; an empty one if there is none. kInvalidInput names the file.
  Result<Checkpoint> load() const;
  // Metrics first, then the checkpoint, so that none that belong to it can be missing.
  Result<void> save(const Checkpoint& checkpoint);

  // A line of metrics.jsonl, written with the next checkpoint. It has "stage" and "step".
  void record(const nlohmann::ordered_json& metrics);
  // Drops what an interrupted run recorded after its last checkpoint.
  Result<void> drop_after(const Checkpoint& checkpoint);

 private:
  TrainingFolder(std::string folder, FileLock lock, Conditions conditions)
      : folder_(std::move(folder)), lock_(std::move(lock)), conditions_(std::move(conditions)) {}

  Result<void> append_metrics();

  std::string folder_;
  FileLock lock_;
  Conditions conditions_;
  std::string unwritten_metrics_;  // lines since the last checkpoint
};

}  // namespace rsd
