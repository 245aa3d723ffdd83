#include "conditions.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "json/read_json.h"
#include "rsd/core/file.h"

namespace rsd::cli {

using Json = nlohmann::json;

std::string identity_of(const std::string& path) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  const auto changed = std::filesystem::last_write_time(path, unknown).time_since_epoch();
  return path + " (" + std::to_string(size) + " bytes, changed at " +
         std::to_string(changed.count()) + ")";
}

Result<void> save_conditions(const std::string& path, const Conditions& conditions) {
  return write_file_atomically(path, Json(conditions).dump(2) + "\n");
}

std::optional<ChangedCondition> changed_condition(const Conditions& before, const Conditions& now) {
  Conditions all = now;
  all.insert(before.begin(), before.end());
  const auto told = [](const Conditions& conditions, const std::string& key) {
    const auto found = conditions.find(key);
    return found != conditions.end() ? found->second : "nothing";
  };
  for (const auto& [key, value] : all) {
    ChangedCondition change{.key = key, .before = told(before, key), .now = told(now, key)};
    if (change.before != change.now) return change;
  }
  return std::nullopt;
}

Result<std::optional<ChangedCondition>> changed_condition(const std::string& path,
                                                          const Conditions& now) {
  if (!std::filesystem::exists(path)) return std::optional<ChangedCondition>();
  const auto text = read_file(path);
  if (!text) return text.error();
  const auto read = read_json(*text);
  if (!read || !read->is_object()) {
    return Error(ErrorCode::kInvalidInput, path + ": this is no JSON object");
  }
  Conditions before;
  for (const auto& [key, value] : read->items())
    if (value.is_string()) before.emplace(key, value.get<std::string>());
  return changed_condition(before, now);
}

}  // namespace rsd::cli
