#include "rsd/models/prepare.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "data/file_lock.h"
#include "models/file_seal.h"
#include "models/llama_log.h"
#include "models/prepared_record.h"
#include "models/publish_file.h"
#include "models/sha256.h"
#include "models/work_folder.h"
#include "rsd/core/log_to.h"
#include "rsd/models/default_model.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Error runtime(const std::string& message) {
  return {ErrorCode::kRuntime, message};
}

std::string file_name(const std::string& path) {
  return fs::path(path).filename().string();
}

// In the cache under a name of its own, so that the next process removes what a killed one left;
// else beside the output, where a rename is possible.
Result<WorkFolder> work_folder_of(const Preparation& preparation) {
  if (!preparation.cache_folder.empty()) {
    return WorkFolder::make_anew(preparation.cache_folder + "/prepare-model");
  }
  auto folder = WorkFolder::make_locked(preparation.output + ".work");
  if (folder) return folder;
  return runtime(preparation.output + " can't be written: " + folder.error().message());
}

// All that the result depends on.
Result<json> sources_of(const Preparation& preparation) {
  auto hash = sha256(preparation.model);
  if (!hash) return hash.error().within("model");
  if (!preparation.model_hash.empty() && *hash != preparation.model_hash) {
    return Error(ErrorCode::kInvalidInput,
                 preparation.model + " is damaged; `rsd model fetch` fetches it again");
  }
  json adapters = json::array();
  for (const LoraFile& lora : preparation.loras) {
    auto lora_hash = sha256(lora.path);
    if (!lora_hash) return lora_hash.error().within("LoRA adapter");
    adapters.push_back(
        {{"file", file_name(lora.path)}, {"sha256", *lora_hash}, {"scale", lora.scale}});
  }
  return json{{"model", {{"file", file_name(preparation.model)}, {"sha256", *hash}}},
              {"adapters", std::move(adapters)},
              {"type", to_string(preparation.type)}};
}

bool is_prepared(const Preparation& preparation, const json& sources) {
  const json record = read_record(preparation.output);
  const bool is_of_these = std::ranges::all_of(sources.items(), [&](const auto& source) {
    const auto found = record.find(source.key());
    return found != record.end() && *found == source.value();
  });
  return is_of_these && fs::exists(preparation.output) &&
         !find_damage(preparation.output, DamageCheck::kWhole);
}

Result<void> check_output(const Preparation& preparation) {
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, "the output " + preparation.output + " " + why);
  };
  const fs::path output = preparation.output;
  if (!fs::exists(output)) return {};
  // A rename would put a plain file in the place of a device such as /dev/null.
  if (!fs::is_regular_file(output)) return refuse("is no plain file");
  if (fs::exists(preparation.model) && fs::equivalent(output, preparation.model)) {
    return refuse("is the model that it is to be made of");
  }
  for (const LoraFile& lora : preparation.loras) {
    if (fs::exists(lora.path) && fs::equivalent(output, lora.path)) {
      return refuse("is one of the adapters");
    }
  }
  return {};
}

// The seal of what was made, which has its name then.
Result<FileSeal> make(const Preparation& preparation, const WorkFolder& work,
                      const PrepareOptions& options) {
  std::string model = preparation.model;
  if (!preparation.loras.empty()) {
    model = work.file("merged.gguf");
    auto merged = merge_adapters({.model_path = preparation.model,
                                  .loras = preparation.loras,
                                  .output_path = model,
                                  .log = llama_log(options.log)});
    if (!merged) return merged.error();
  }
  const std::string quantized = work.file("quantized.gguf");
  auto done = quantize_model({.model_path = model,
                              .output_path = quantized,
                              .type = preparation.type,
                              .threads = options.threads,
                              .log = llama_log(options.log)});
  if (!done) return done.error();
  auto seal = seal_of(quantized);
  if (!seal) return seal;
  remove_record(preparation.output);  // else it would describe a file that is replaced
  if (auto published = publish_file(quantized, preparation.output); !published)
    return published.error();
  return seal;
}

Result<bool> prepare_in(const Preparation& preparation, const PrepareOptions& options) {
  if (auto checked = check_output(preparation); !checked) return checked.error();
  const auto sources = sources_of(preparation);
  if (!sources) return sources.error();
  // Before anything is written: a cache that is complete may be read-only.
  if (is_prepared(preparation, *sources)) return false;
  std::optional<FileLock> turn;
  if (!preparation.cache_folder.empty()) {
    fs::create_directories(fs::path(preparation.output).parent_path());
    auto lock = FileLock::acquire(preparation.cache_folder + "/prepare-model.lock",
                                  "preparing the model", options.log);
    if (!lock) return lock.error();
    turn.emplace(*std::move(lock));
    if (is_prepared(preparation, *sources)) return false;  // by whom we have waited for
  }
  if (fs::exists(preparation.output)) {
    if (const auto damage = find_damage(preparation.output, DamageCheck::kWhole)) {
      log_to(options.log, LogLevel::kWarning,
             preparation.output + " is damaged: " + *damage + "; it is made anew");
    }
  }
  auto work = work_folder_of(preparation);
  if (!work) return work.error();
  log_to(options.log, LogLevel::kInfo,
         "preparing " + preparation.output + " from " + preparation.model);
  const auto seal = make(preparation, *work, options);
  if (!seal) return seal.error();
  json record = *sources;
  record["output"] = seal_json(*seal);
  record["rsd"] = RSD_VERSION;
  record["agreement"] = nullptr;
  if (auto written = write_record(preparation.output, record); !written) return written.error();
  return true;
}

}  // namespace

Result<bool> prepare(const Preparation& preparation, const PrepareOptions& options) {
  try {
    if (!preparation.cache_folder.empty()) {
      auto base = base_model({.cache_folder = preparation.cache_folder});
      if (!base) return base.error();
    }
    return prepare_in(preparation, options);
  } catch (const fs::filesystem_error& failure) {
    return runtime("can't prepare " + preparation.output + ": " + failure.what());
  }
}

}  // namespace rsd
