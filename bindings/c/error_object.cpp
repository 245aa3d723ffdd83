#include "bindings/c/error_object.h"

#include <array>
#include <exception>

namespace rsd::bindings {
namespace {

// Made when the library is loaded, so that it is there when there is no memory; the message is
// short enough to need none.
rsd_error no_memory{.code = RSD_OUT_OF_MEMORY, .message = "out of memory"};

constexpr std::array kCodeNames{"ok",          "invalid_argument",  "missing_dependency",
                                "not_found",   "invalid_input",     "too_long",
                                "unsupported", "deadline_exceeded", "runtime",
                                "cancelled",   "out_of_memory",     "internal"};

}  // namespace

rsd_code code_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return RSD_INVALID_ARGUMENT;
    case ErrorCode::kMissingDependency:
      return RSD_MISSING_DEPENDENCY;
    case ErrorCode::kNotFound:
      return RSD_NOT_FOUND;
    case ErrorCode::kInvalidInput:
      return RSD_INVALID_INPUT;
    case ErrorCode::kTooLong:
      return RSD_TOO_LONG;
    case ErrorCode::kUnsupported:
      return RSD_UNSUPPORTED;
    case ErrorCode::kDeadlineExceeded:
      return RSD_DEADLINE_EXCEEDED;
    case ErrorCode::kRuntime:
      return RSD_RUNTIME;
  }
  return RSD_INTERNAL;
}

rsd_error* out_of_memory() noexcept {
  return &no_memory;
}

rsd_error* error_object(rsd_code code, const char* message) noexcept {
  try {
    return new rsd_error{.code = code, .message = message};
  } catch (...) {
    return out_of_memory();
  }
}

rsd_error* error_object(const Error& error) noexcept {
  return error_object(code_of(error.code()), error.message().c_str());
}

rsd_error* error_of_exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& defect) {
    return error_object(RSD_INTERNAL, defect.what());
  } catch (...) {
    return error_object(RSD_INTERNAL, "an exception of an unknown type");
  }
}

}  // namespace rsd::bindings

rsd_code rsd_error_code(const rsd_error* error) {
  return error != nullptr ? error->code : RSD_OK;
}

const char* rsd_error_message(const rsd_error* error) {
  return error != nullptr ? error->message.c_str() : "";
}

const char* rsd_code_name(int code) {
  const auto& names = rsd::bindings::kCodeNames;
  const auto number = static_cast<std::size_t>(code);  // a negative one becomes large
  return number < names.size() ? names[number] : "unknown";
}

void rsd_error_free(rsd_error* error) {
  if (error != rsd::bindings::out_of_memory()) delete error;
}
