#include "rsd/models/default_model.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "json/read_json.h"
#include "models/base_model.h"
#include "models/sha256.h"
#include "rsd/core/file.h"
#include "rsd/core/machine.h"

namespace rsd {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string name_of(OwnModel model) {
  return model == OwnModel::kBlocks ? "smollm2-135m-rank-blocks" : "smollm2-135m-rank";
}

// The project's adapter and its hash, which takes a while: once a command is enough.
struct OwnAdapter {
  std::string path;
  std::string hash;
};

Result<OwnAdapter> own_adapter(const ModelPlaces& places, OwnModel model) {
  auto path = project_adapter(places, model);
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

Result<std::string> choice_path(const ModelPlaces& places) {
  const auto cache = cache_folder(places);
  if (!cache) return cache.error();
  return (fs::path(*cache) / "models" / "default-type.json").string();
}

WeightType default_type(const OwnAdapter& adapter, const ModelPlaces& places) {
  const auto path = choice_path(places);
  const auto text = path ? read_file(*path) : Result<std::string>(path.error());
  if (!text) return kDefaultWeightType;
  const auto choice = read_json(*text);
  if (!choice || !choice->is_object() || choice->value("for", json()) != default_subject(adapter))
    return kDefaultWeightType;
  const json name = choice->value("type", json());
  const auto type = parse_weight_type(name.is_string() ? name.get<std::string>() : "");
  return type ? *type : kDefaultWeightType;
}

Preparation preparation_in(const fs::path& cache, OwnModel model, const OwnAdapter& adapter,
                           WeightType type) {
  constexpr std::size_t kDigits = 12;
  const std::string name = name_of(model) + "-" + adapter.hash.substr(0, kDigits) + "-" +
                           std::string(base_model_hash().substr(0, kDigits)) + "-" +
                           std::string(to_string(type)) + ".gguf";
  return Preparation{.model = (cache / "models" / base_model_file()).string(),
                     .model_hash = std::string(base_model_hash()),
                     .loras = {{.path = adapter.path}},
                     .type = type,
                     .output = (cache / "models" / name).string(),
                     .cache_folder = cache.string()};
}

}  // namespace

Result<void> choose_default_type(WeightType type, const ModelPlaces& places) {
  const auto path = choice_path(places);
  if (!path) return path.error();
  const auto adapter = own_adapter(places, OwnModel::kDefault);
  if (!adapter) return adapter.error();
  const json choice{{"for", default_subject(*adapter)}, {"type", std::string(to_string(type))}};
  return write_file_atomically(*path, choice.dump(2) + "\n");
}

Result<Preparation> default_preparation(WeightType type, const ModelPlaces& places,
                                        OwnModel model) {
  const auto cache = cache_folder(places);
  if (!cache) return cache.error();
  const auto adapter = own_adapter(places, model);
  if (!adapter) return adapter.error();
  return preparation_in(*cache, model, *adapter, type);
}

Result<std::string> default_model(const ModelPlaces& places, DamageCheck check, OwnModel model) {
  const auto cache = cache_folder(places);
  if (!cache) return cache.error();
  const auto adapter = own_adapter(places, model);
  if (!adapter) return adapter.error();
  Preparation preparation = preparation_in(*cache, model, *adapter, default_type(*adapter, places));
  std::error_code failure;
  std::optional<std::string> damage;
  if (fs::exists(preparation.output, failure)) {
    damage = find_damage(preparation.output, check);
    if (!damage) return std::move(preparation.output);
  }
  const auto done = prepare(preparation, {.log = places.log});
  if (done) return std::move(preparation.output);
  if (!damage) return done.error();
  return done.error().within(preparation.output + " is damaged: " + *damage +
                             ", and can't be made anew");
}

Result<std::vector<std::string>> cached_models(const ModelPlaces& places) {
  const auto cache = cache_folder(places);
  if (!cache) return cache.error();
  const fs::path folder = fs::path(*cache) / "models";
  std::vector<std::string> models;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (entry->path().extension() == ".gguf") models.push_back(entry->path().string());
  }
  if (models.empty()) {
    return Error(ErrorCode::kNotFound,
                 "there is no model in " + folder.string() + "; run `rsd model fetch`");
  }
  std::ranges::sort(models);
  return models;
}

}  // namespace rsd
