// `Result<T>`: a value or an `Error`; C++20 has no std::expected.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "rsd/core/check.h"
#include "rsd/core/error.h"

namespace rsd {

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
