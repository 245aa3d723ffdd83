// Running another program, without a shell.
#pragma once

#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd::cli {

// Waits for it. Its output goes to our standard error: standard output is for results.
// kMissingDependency when there is no such program, kRuntime when it fails.
Result<void> run_program(const std::vector<std::string>& command);

}  // namespace rsd::cli
