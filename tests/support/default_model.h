// The default LLM, for tests that want a real one.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace rsd {

// The one that was prepared last (cli/prepared_model.h); empty where there is none.
inline std::string default_model_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  // Relative values are to be ignored (XDG Base Directory Specification).
  const bool is_set = cache && *cache == '/';
  const std::string folder = is_set ? cache : std::string(home ? home : "") + "/.cache";
  std::error_code failure;
  std::filesystem::directory_entry newest;
  for (const auto& file : std::filesystem::directory_iterator(folder + "/rsd/models", failure)) {
    const std::string name = file.path().filename().string();
    const bool fits = name.starts_with("smollm2-135m-rank-") && name.ends_with("-f16.gguf");
    if (fits && (newest.path().empty() || newest.last_write_time() < file.last_write_time())) {
      newest = file;
    }
  }
  return newest.path().string();
}

}  // namespace rsd

// Skips the test, visibly, on machines without the model.
#define RSD_REQUIRE_DEFAULT_MODEL()        \
  if (::rsd::default_model_path().empty()) \
  GTEST_SKIP() << "the default model is missing; `./dev test` and `rsd model fetch` fetch it"
