#include "llm/cpu_features.h"

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace rsd {

Result<void> check_cpu_features(std::string_view required, std::string_view cpuinfo_flags) {
  std::istringstream present_words{std::string(cpuinfo_flags)};
  std::istringstream required_words{std::string(required)};
  std::set<std::string> present;
  for (std::string word; present_words >> word;)
    present.insert(word);
  std::string missing;
  for (std::string word; required_words >> word;) {
    if (!present.contains(word)) missing += " " + word;
  }
  if (missing.empty()) return {};
  return Error(ErrorCode::kMissingDependency,
               "this build's kernels need instructions that this CPU lacks:" + missing +
                   "; configure and build again on this machine (./dev build)");
}

Result<void> check_this_cpu() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("flags")) return check_cpu_features(RSD_GGML_FEATURES, line);
  }
  return {};
}

}  // namespace rsd
