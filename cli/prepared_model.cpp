#include "prepared_model.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "common_options.h"
#include "file_lock.h"
#include "json/read_json.h"
#include "model_store.h"
#include "prepared_record.h"
#include "publish_file.h"
#include "rsd/core/file.h"
#include "rsd/core/machine.h"
#include "sha256.h"

namespace rsd::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kDefaultName = "smollm2-135m-rank";

Error runtime(const std::string& message) {
  return {ErrorCode::kRuntime, message};
}

std::string file_name(const std::string& path) {
  return fs::path(path).filename().string();
}

// A folder for what is not finished, which goes with it.
class WorkFolder {
 public:
  // In the cache under a name of its own, so that the next process removes what a killed one left;
  // else beside the output, where a rename is possible.
  static Result<WorkFolder> create(const Preparation& preparation, const fs::path& cache) {
    if (preparation.in_cache) {
      const fs::path path = cache / "prepare-model";
      fs::remove_all(path);
      fs::create_directories(path);
      return WorkFolder(path);
    }
    std::string path = preparation.output + ".XXXXXX";
    if (!::mkdtemp(path.data())) {
      return runtime(preparation.output +
                     " can't be written: " + std::generic_category().message(errno));
    }
    return WorkFolder(path);
  }
  WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  explicit WorkFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

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
         !find_damage(preparation.output, Check::kWhole);
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
Result<FileSeal> make(const Preparation& preparation, const WorkFolder& work, int threads) {
  std::string model = preparation.model;
  if (!preparation.loras.empty()) {
    model = work.file("merged.gguf");
    auto merged = merge_adapters({.model_path = preparation.model,
                                  .loras = preparation.loras,
                                  .output_path = model,
                                  .log = llama_log_sink()});
    if (!merged) return merged.error();
  }
  const std::string quantized = work.file("quantized.gguf");
  auto done = quantize_model({.model_path = model,
                              .output_path = quantized,
                              .type = preparation.type,
                              .threads = threads,
                              .log = llama_log_sink()});
  if (!done) return done.error();
  auto seal = seal_of(quantized);
  if (!seal) return seal;
  if (auto published = publish_file(quantized, preparation.output); !published)
    return published.error();
  return seal;
}

Result<bool> prepare_in(const fs::path& cache, const Preparation& preparation, int threads) {
  if (auto checked = check_output(preparation); !checked) return checked.error();
  const auto sources = sources_of(preparation);
  if (!sources) return sources.error();
  // Before anything is written: a cache that is complete may be read-only.
  if (is_prepared(preparation, *sources)) return false;
  std::optional<FileLock> turn;
  if (preparation.in_cache) {
    fs::create_directories(fs::path(preparation.output).parent_path());
    auto lock = FileLock::acquire((cache / "prepare-model.lock").string(), "preparing the model");
    if (!lock) return lock.error();
    turn.emplace(*std::move(lock));
    if (is_prepared(preparation, *sources)) return false;  // by whom we have waited for
  }
  if (fs::exists(preparation.output)) {
    if (const auto damage = find_damage(preparation.output, Check::kWhole))
      spdlog::warn("{} is damaged: {}; it is made anew", preparation.output, *damage);
  }
  auto work = WorkFolder::create(preparation, cache);
  if (!work) return work.error();
  spdlog::info("preparing {} from {}", preparation.output, preparation.model);
  remove_record(preparation.output);  // else it would tell of a file that is replaced
  const auto seal = make(preparation, *work, threads);
  if (!seal) return seal.error();
  json record = *sources;
  record["output"] = seal_json(*seal);
  record["rsd"] = RSD_VERSION;
  record["agreement"] = nullptr;
  if (auto written = write_record(preparation.output, record); !written) return written.error();
  return true;
}

// The project's adapter and its hash, which takes a while: once a command is enough.
struct OwnAdapter {
  std::string path;
  std::string hash;
};

Result<OwnAdapter> own_adapter() {
  auto path = project_adapter();
  if (!path) return path.error();
  auto hash = sha256(*path);
  if (!hash) return hash.error();
  return OwnAdapter{.path = *std::move(path), .hash = *std::move(hash)};
}

// What a choice of the default model's type was made for: another CPU or adapter is another matter.
json default_subject(const OwnAdapter& adapter) {
  return json{{"cpu", describe_machine().cpu},
              {"model", std::string(base_model_hash())},
              {"adapter", adapter.hash}};
}

Result<std::string> choice_path() {
  const auto cache = cache_folder();
  if (!cache) return cache.error();
  return (fs::path(*cache) / "models" / "default-type.json").string();
}

WeightType default_type(const OwnAdapter& adapter) {
  const auto path = choice_path();
  const auto text = path ? read_file(*path) : Result<std::string>(path.error());
  if (!text) return kDefaultWeightType;
  const auto choice = read_json(*text);
  if (!choice || !choice->is_object() || choice->value("for", json()) != default_subject(adapter))
    return kDefaultWeightType;
  const json name = choice->value("type", json());
  const auto type = parse_weight_type(name.is_string() ? name.get<std::string>() : "");
  return type ? *type : kDefaultWeightType;
}

Preparation preparation_in(const fs::path& cache, const OwnAdapter& adapter, WeightType type) {
  constexpr std::size_t kDigits = 12;
  const std::string name = std::string(kDefaultName) + "-" + adapter.hash.substr(0, kDigits) + "-" +
                           std::string(base_model_hash().substr(0, kDigits)) + "-" +
                           std::string(to_string(type)) + ".gguf";
  return Preparation{.model = (cache / "models" / base_model_file()).string(),
                     .model_hash = std::string(base_model_hash()),
                     .loras = {{.path = adapter.path}},
                     .type = type,
                     .output = (cache / "models" / name).string(),
                     .in_cache = true};
}

}  // namespace

Result<void> choose_default_type(WeightType type) {
  const auto path = choice_path();
  if (!path) return path.error();
  const auto adapter = own_adapter();
  if (!adapter) return adapter.error();
  const json choice{{"for", default_subject(*adapter)}, {"type", std::string(to_string(type))}};
  return write_file_atomically(*path, choice.dump(2) + "\n");
}

Result<Preparation> default_preparation(WeightType type) {
  const auto cache = cache_folder();
  if (!cache) return cache.error();
  const auto adapter = own_adapter();
  if (!adapter) return adapter.error();
  return preparation_in(*cache, *adapter, type);
}

Result<bool> prepare(const Preparation& preparation, int threads) {
  try {
    fs::path cache;
    if (preparation.in_cache) {
      auto base = base_model();
      if (!base) return base.error();
      cache = *cache_folder();
    }
    return prepare_in(cache, preparation, threads);
  } catch (const fs::filesystem_error& failure) {
    return runtime("can't prepare " + preparation.output + ": " + failure.what());
  }
}

std::optional<std::string> find_damage(const std::string& model, Check check) {
  const auto seal = recorded_seal(model);
  return seal ? find_damage(model, *seal, check) : "it has no checksum in " + model + ".json";
}

Result<std::string> checked_model(const std::string& model) {
  std::error_code failure;
  if (!fs::exists(model, failure) || !recorded_seal(model)) return model;
  const auto damage = find_damage(model, Check::kSamples);
  if (!damage) return model;
  return Error(ErrorCode::kInvalidInput, model + " is damaged: " + *damage +
                                             "; `rsd model prepare` makes it anew (where it is "
                                             "meant to be another model, delete " +
                                             model + ".json)");
}

Result<std::string> default_model(Check check) {
  const auto cache = cache_folder();
  if (!cache) return cache.error();
  const auto adapter = own_adapter();
  if (!adapter) return adapter.error();
  Preparation preparation = preparation_in(*cache, *adapter, default_type(*adapter));
  std::error_code failure;
  std::optional<std::string> damage;
  if (fs::exists(preparation.output, failure)) {
    damage = find_damage(preparation.output, check);
    if (!damage) return std::move(preparation.output);
  }
  const auto done = prepare(preparation, /*threads=*/0);
  if (done) return std::move(preparation.output);
  if (!damage) return done.error();
  return done.error().within(preparation.output + " is damaged: " + *damage +
                             ", and can't be made anew");
}

}  // namespace rsd::cli
