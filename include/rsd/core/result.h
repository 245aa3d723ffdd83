// Errors as values: `Result<T>` is a value or an `Error`; C++20 has no std::expected.
//
// Expected failures (a file, an input, a model, a context that is too small) are values of type
// `Error` inside a `Result`. Broken invariants of our own code throw `LogicError` (check.h); only
// the programs at the roots catch it. The library never prints, exits or aborts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "rsd/core/check.h"

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

// Reading the value of a failure, or the error of a success, throws `LogicError`.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(*-explicit-*)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & {
    RSD_CHECK(ok(), "value of a failed Result");
    return std::get<0>(state_);
  }
  const T& value() const& {
    RSD_CHECK(ok(), "value of a failed Result");
    return std::get<0>(state_);
  }
  T&& value() && {
    RSD_CHECK(ok(), "value of a failed Result");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    RSD_CHECK(!ok(), "error of a successful Result");
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

// Success without a value: `return {};`.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return ok(); }
  const Error& error() const {
    RSD_CHECK(!ok(), "error of a successful Result");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace rsd
