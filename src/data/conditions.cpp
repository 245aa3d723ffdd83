#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "json/read_json.h"
#include "rsd/core/file.h"
#include "rsd/data/resumable_output.h"

namespace rsd {

using Json = nlohmann::json;

namespace {

// Names of files may hold bytes that are not UTF-8: they are stored, and compared, as U+FFFD.
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

bool is_same(const std::optional<std::string>& a, const std::optional<std::string>& b) {
  return a == b || (a && b && json_text(*a) == json_text(*b));
}

}  // namespace

std::string identity_of(const std::string& path) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  const auto changed = std::filesystem::last_write_time(path, unknown).time_since_epoch();
  return path + " (" + std::to_string(size) + " bytes, changed at " +
         std::to_string(changed.count()) + ")";
}

Result<void> save_conditions(const std::string& path, const Conditions& conditions) {
  return write_file_atomically(path, json_text(Json(conditions), 2) + "\n");
}

std::vector<ChangedCondition> changed_conditions(const Conditions& before, const Conditions& now) {
  Conditions all = now;
  all.insert(before.begin(), before.end());
  const auto value_in = [](const Conditions& conditions, const std::string& key) {
    const auto found = conditions.find(key);
    return found != conditions.end() ? std::optional(found->second) : std::nullopt;
  };
  std::vector<ChangedCondition> changed;
  for (const auto& [key, value] : all) {
    ChangedCondition change{.key = key, .before = value_in(before, key), .now = value_in(now, key)};
    if (!is_same(change.before, change.now)) changed.push_back(std::move(change));
  }
  return changed;
}

Result<std::vector<ChangedCondition>> changed_conditions(const std::string& path,
                                                         const Conditions& now) {
  const auto text = read_file_if_there(path);
  if (!text) return text.error();
  if (!*text) return std::vector<ChangedCondition>();
  const auto read = read_json(**text);
  if (!read || !read->is_object()) {
    return Error(ErrorCode::kInvalidInput, path + ": this is no JSON object");
  }
  Conditions before;
  for (const auto& [key, value] : read->items())
    if (value.is_string()) before.emplace(key, value.get<std::string>());
  return changed_conditions(before, now);
}

}  // namespace rsd
