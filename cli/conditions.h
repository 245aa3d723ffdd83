// What results depend on, kept beside results that are not finished and compared when they are gone
// on with.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "rsd/core/result.h"

namespace rsd::cli {

using Conditions = std::map<std::string, std::string>;

// A file by name, size and time of its last change: under the same name may lie another.
std::string identity_of(const std::string& path);

Result<void> save_conditions(const std::string& path, const Conditions& conditions);

struct ChangedCondition {
  std::string key;
  std::string before;  // "nothing" where it was not told
  std::string now;
};

// The first one that is not as it was, whichever side tells it; nullopt when all are the same.
std::optional<ChangedCondition> changed_condition(const Conditions& before, const Conditions& now);
// The same for those that were saved; nullopt also where none were. kInvalidInput: the file holds
// none; else as read_file.
Result<std::optional<ChangedCondition>> changed_condition(const std::string& path,
                                                          const Conditions& now);

}  // namespace rsd::cli
