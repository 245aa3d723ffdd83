// The default LLM, for tests that want a real one.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "rsd/models/default_model.h"

namespace rsd {

// As `rsd model fetch` prepares it unless another type was chosen for the machine; empty where it
// is not there. Nothing is fetched or prepared.
inline const std::string& default_model_path() {
  static const std::string path = [] {
    const auto preparation = default_preparation();
    std::error_code failure;
    const bool is_there = preparation && std::filesystem::exists(preparation->output, failure);
    return is_there ? preparation->output : std::string();
  }();
  return path;
}

}  // namespace rsd

// Skips the test, visibly, on machines without the model.
#define RSD_REQUIRE_DEFAULT_MODEL()        \
  if (::rsd::default_model_path().empty()) \
  GTEST_SKIP() << "the default model is missing; `./dev test` and `rsd model fetch` fetch it"
