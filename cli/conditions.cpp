#include "conditions.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "json/read_json.h"
#include "rsd/data/atomic_file.h"

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

Result<std::optional<ChangedCondition>> changed_condition(const std::string& path,
                                                          const Conditions& now) {
  if (!std::filesystem::exists(path)) return std::optional<ChangedCondition>();
  const auto text = read_file(path);
  if (!text) return text.error();
  const auto read = read_json(*text);
  if (!read || !read->is_object()) {
    return Error(ErrorCode::kInvalidInput, path + ": this is no JSON object");
  }
  const Json& then = *read;
  std::set<std::string> keys;
  for (const auto& [key, value] : now)
    keys.insert(key);
  for (const auto& [key, value] : then.items())
    keys.insert(key);
  for (const std::string& key : keys) {
    const auto before = then.find(key);
    const auto after = now.find(key);
    const bool told = before != then.end() && before->is_string();
    ChangedCondition change{.key = key,
                            .before = told ? before->get<std::string>() : "nothing",
                            .now = after != now.end() ? after->second : "nothing"};
    if (change.before != change.now) return std::optional(std::move(change));
  }
  return std::optional<ChangedCondition>();
}

}  // namespace rsd::cli
