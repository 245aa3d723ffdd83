// Errors as objects, and the wall that no exception passes.
#pragma once

#include <new>
#include <string>
#include <utility>

#include "bindings/c/rsd.h"
#include "rsd/core/result.h"

struct rsd_error {
  rsd_code code = RSD_INTERNAL;
  std::string message{};
};

namespace rsd::bindings {

rsd_code code_of(ErrorCode code) noexcept;

// These return an error that the caller owns; without memory for it, a static one that
// rsd_error_free leaves alone. They never throw.
rsd_error* error_object(rsd_code code, const char* message) noexcept;
rsd_error* error_object(const Error& error) noexcept;
rsd_error* out_of_memory() noexcept;

// Of the exception that is being handled.
rsd_error* error_of_exception() noexcept;

// The error of `body`, a function that returns Result<void>; NULL if it succeeds. Exceptions become
// errors: RSD_OUT_OF_MEMORY, or RSD_INTERNAL.
template <class Body>
rsd_error* guarded(Body&& body) noexcept {
  try {
    const Result<void> done = std::forward<Body>(body)();
    return done ? nullptr : error_object(done.error());
  } catch (...) {
    return error_of_exception();
  }
}

// The error of an argument that is NULL.
inline Error null_argument(const char* name) {
  return invalid_argument(std::string(name) + " is NULL");
}

}  // namespace rsd::bindings
