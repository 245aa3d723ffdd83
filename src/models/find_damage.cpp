#include "rsd/models/find_damage.h"

#include <filesystem>
#include <system_error>

#include "models/base_model.h"
#include "models/file_seal.h"
#include "models/prepared_record.h"

namespace rsd {

namespace fs = std::filesystem;

std::optional<std::string> find_damage(const std::string& model, DamageCheck check) {
  if (const auto seal = recorded_seal(model)) return find_damage(model, *seal, check);
  if (fs::path(model).filename() == base_model_file()) {
    return find_damage(model, base_model_seal(), check);
  }
  return "it has no checksum in " + model + ".json";
}

Result<std::string> checked_model(const std::string& model) {
  std::error_code failure;
  if (!fs::exists(model, failure) || !recorded_seal(model)) return model;
  const auto damage = find_damage(model, DamageCheck::kSamples);
  if (!damage) return model;
  return Error(ErrorCode::kInvalidInput, model + " is damaged: " + *damage +
                                             "; `rsd model prepare` makes it anew (where it is "
                                             "meant to be another model, delete " +
                                             model + ".json)");
}

}  // namespace rsd
