#include "train/training_folder.h"

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "data/metrics_line.h"
#include "rsd/core/file.h"

namespace rsd {
namespace {

// The steps of the line's stage that the checkpoint covers; nullopt if it has none of them.
std::optional<std::size_t> steps_done(const Checkpoint& checkpoint, const std::string& stage) {
  if (stage.starts_with("rpo")) {
    return checkpoint.rpo ? std::optional(checkpoint.rpo->step) : std::nullopt;
  }
  if (checkpoint.initial_weights) return std::numeric_limits<std::size_t>::max();
  return checkpoint.supervised ? std::optional(checkpoint.supervised->step) : std::nullopt;
}

Result<void> check_conditions(const std::string& path, const Conditions& now) {
  const auto changed = changed_conditions(path, now);
  if (!changed) return changed.error();
  if (changed->empty()) return {};
  const ChangedCondition& change = changed->front();
  return Error(ErrorCode::kInvalidArgument,
               "the training in " + std::filesystem::path(path).parent_path().string() +
                   " was begun with " + change.key + " \"" + change.before.value_or("nothing") +
                   "\"; it can't go on with \"" + change.now.value_or("nothing") +
                   "\". Choose another --out, or delete the folder to begin anew");
}

}  // namespace

Result<TrainingFolder> TrainingFolder::open(const std::string& agent, const Conditions& conditions,
                                            const LogSink& log) {
  const std::string folder = agent + ".training";
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    return Error(ErrorCode::kRuntime,
                 "the folder " + folder + " can't be made: " + failure.message());
  }
  auto lock = FileLock::acquire(folder + "/lock", "training " + agent, log);
  if (!lock) return lock.error();
  TrainingFolder opened(folder, *std::move(lock), conditions);
  if (auto same = check_conditions(opened.path("conditions.json"), conditions); !same) {
    return same.error();
  }
  return opened;
}

Result<void> TrainingFolder::begin() const {
  return save_conditions(path("conditions.json"), conditions_);
}

Result<Checkpoint> TrainingFolder::load() const {
  const std::string file = path("checkpoint.cbor");
  const auto content = read_file_if_there(file);
  if (!content) return content.error();
  if (!*content) return Checkpoint{};
  auto checkpoint = parse_checkpoint(**content);
  if (!checkpoint) return checkpoint.error().within(file);
  return checkpoint;
}

Result<void> TrainingFolder::save(const Checkpoint& checkpoint) {
  if (auto done = append_metrics(); !done) return done;
  return write_file_atomically(path("checkpoint.cbor"), serialised(checkpoint));
}

// drop_after() drops lines that an interruption has cut short.
Result<void> TrainingFolder::append_metrics() {
  if (auto appended = append_to_file(metrics_path(), unwritten_metrics_); !appended)
    return appended;
  unwritten_metrics_.clear();
  return {};
}

void TrainingFolder::record(const nlohmann::ordered_json& metrics) {
  unwritten_metrics_ += metrics.dump() + "\n";
}

Result<void> TrainingFolder::drop_after(const Checkpoint& checkpoint) {
  unwritten_metrics_.clear();
  const auto text = read_file_if_there(metrics_path());
  if (!text) return text.error();
  if (!*text) return {};
  std::string kept;
  std::istringstream lines(**text);
  for (std::string line; std::getline(lines, line);) {
    const auto entry = read_metrics_line(line);
    if (!entry) continue;
    const auto step = entry->at("step").get<std::size_t>();
    const auto done = steps_done(checkpoint, entry->at("stage").get<std::string>());
    if (done && step <= *done) kept += line + "\n";
  }
  return write_file_atomically(metrics_path(), kept);
}

}  // namespace rsd
