// Errors as values.
//
// Expected failures (a file, an input, a model, a context that is too small) are values of type
// `Error` inside a `Result`. Broken invariants of our own code throw `LogicError` (check.h); only
// the programs at the roots catch it. The library never prints, exits or aborts.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace rsd {

// The closed set of failures. The roots map each to an exit code or an HTTP status.
enum class ErrorCode {
  kInvalidArgument,    // an option or a call that makes no sense: the message has name, value and
                       // limit
  kMissingDependency,  // a program or a file set that has to be installed first
  kNotFound,           // a file or a model that is not there or can't be opened
  kInvalidInput,       // a malformed file or request: the message has source, line and field
  kTooLong,            // a request that can't fit the context even with its texts cut
  kUnsupported,        // the model can't do what is asked
  kDeadlineExceeded,   // a pass was aborted at its deadline
  kRuntime,            // the LLM, the operating system or a write failed
};

// The name used in logs and in error records: "invalid_input".
std::string_view to_string(ErrorCode code) noexcept;

class [[nodiscard]] Error {
 public:
  // `message` is one sentence that names field, value and limit, and ends without a full stop.
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }

  // The same error with context in front: "<context>: <message>".
  Error within(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string message_;
};

inline Error invalid_argument(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

inline Error invalid_input(std::string message) {
  return {ErrorCode::kInvalidInput, std::move(message)};
}

}  // namespace rsd
