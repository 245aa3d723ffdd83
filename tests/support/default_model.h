// The default LLM, for tests that want a real one.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace rsd {

// Where `rsd model fetch` puts it, whether it is there or not (cli/model_store.h).
inline std::string default_model_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  // Relative values are to be ignored (XDG Base Directory Specification).
  const bool is_set = cache && *cache == '/';
  const std::string folder = is_set ? cache : std::string(home ? home : "") + "/.cache";
  return folder + "/rsd/models/smollm2-135m-instruct-q4_1.gguf";
}

}  // namespace rsd

// Skips the test, visibly, on machines without the model.
#define RSD_REQUIRE_DEFAULT_MODEL()                                               \
  if (!std::filesystem::exists(::rsd::default_model_path()))                      \
  GTEST_SKIP() << "the default model is missing: " << ::rsd::default_model_path() \
               << "; `./dev test` and `rsd model fetch` fetch it"
