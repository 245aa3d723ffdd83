// The exit codes of `rsd`: a contract that other programs rely on.
#pragma once

#include "rsd/core/result.h"

namespace rsd::cli {

enum ExitCode : int {
  kSuccess = 0,
  kUsage = 2,
  kPrerequisiteMissing = 3,
  kFileMissing = 4,
  kInvalidInput = 5,
  kRuntimeFailure = 6,
  kSomeFailed = 7,
};

// Returns the exit code of a command that fails with this error.
ExitCode exit_code(ErrorCode code) noexcept;

}  // namespace rsd::cli
