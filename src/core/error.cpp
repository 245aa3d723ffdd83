#include "rsd/core/result.h"

#include <string>
#include <string_view>

#include "rsd/core/check.h"

namespace rsd {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kMissingDependency:
      return "missing_dependency";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kInvalidInput:
      return "invalid_input";
    case ErrorCode::kTooLong:
      return "too_long";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorCode::kRuntime:
      return "runtime";
  }
  return "unknown";
}

Error Error::within(std::string_view context) const {
  return {code_, std::string(context) + ": " + message_};
}

void fail_check(const char* condition, const char* what, const char* file, int line) {
  throw LogicError(std::string(file) + ":" + std::to_string(line) + ": " + what + " (" + condition +
                   ")");
}

}  // namespace rsd
