#include "terminal/exit_code.h"

namespace rsd::cli {

ExitCode exit_code(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return kUsage;
    case ErrorCode::kMissingDependency:
      return kPrerequisiteMissing;
    case ErrorCode::kNotFound:
      return kFileMissing;
    case ErrorCode::kInvalidInput:
    case ErrorCode::kTooLong:
      return kInvalidInput;
    case ErrorCode::kUnsupported:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kRuntime:
      return kRuntimeFailure;
  }
  return kRuntimeFailure;
}

}  // namespace rsd::cli
