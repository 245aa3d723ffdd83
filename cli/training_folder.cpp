#include "training_folder.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "rsd/data/atomic_file.h"

namespace rsd::cli {
namespace {

using Json = nlohmann::ordered_json;

// Of the stage that the line belongs to.
std::size_t steps_done(const Checkpoint& checkpoint, const std::string& stage) {
  if (stage == "rpo") return checkpoint.rpo ? checkpoint.rpo->step : 0;
  return checkpoint.supervised ? checkpoint.supervised->step : 0;
}

Result<void> check_conditions(const std::string& path, const Conditions& now) {
  const auto text = read_file(path);
  if (!text) return write_file_atomically(path, Json(now).dump(2) + "\n");
  const Json then = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  for (const auto& [key, value] : now) {
    const Json before = then.is_object() ? then.value(key, Json("")) : Json("");
    if (before == value) continue;
    return Error(ErrorCode::kInvalidArgument,
                 "the training in " + std::filesystem::path(path).parent_path().string() +
                     " was begun with " + key + " " + before.dump() + "; it can't go on with \"" +
                     value + "\". Choose another --out, or delete the folder to begin anew");
  }
  return {};
}

}  // namespace

Result<TrainingFolder> TrainingFolder::open(const std::string& agent,
                                            const Conditions& conditions) {
  TrainingFolder folder(agent + ".training");
  std::error_code failure;
  std::filesystem::create_directories(folder.folder_, failure);
  if (failure) {
    return Error(ErrorCode::kRuntime,
                 "the folder " + folder.folder_ + " can't be made: " + failure.message());
  }
  if (auto same = check_conditions(folder.path("conditions.json"), conditions); !same) {
    return same.error();
  }
  return folder;
}

Result<Checkpoint> TrainingFolder::load() const {
  const std::string file = path("checkpoint.cbor");
  if (!std::filesystem::exists(file)) return Checkpoint{};
  const auto content = read_file(file);
  if (!content) return content.error();
  auto checkpoint = parse_checkpoint(*content);
  if (!checkpoint) return checkpoint.error().within(file);
  return checkpoint;
}

Result<void> TrainingFolder::save(const Checkpoint& checkpoint) {
  if (auto done = write_file_atomically(path("metrics.jsonl"), metrics_); !done) return done;
  return write_file_atomically(path("checkpoint.cbor"), serialised(checkpoint));
}

void TrainingFolder::record(const Json& metrics) {
  metrics_ += metrics.dump() + "\n";
}

Result<void> TrainingFolder::drop_behind(const Checkpoint& checkpoint) {
  metrics_.clear();
  if (!std::filesystem::exists(path("metrics.jsonl"))) return {};
  const auto text = read_file(path("metrics.jsonl"));
  if (!text) return text.error();
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const Json entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || !entry.contains("stage") || !entry.contains("step")) continue;
    const auto step = entry["step"].get<std::size_t>();
    if (step <= steps_done(checkpoint, entry["stage"].get<std::string>())) record(entry);
  }
  return {};
}

}  // namespace rsd::cli
