// Invariants of our own code, checked in every build.
#pragma once

#include <stdexcept>

namespace rsd {

// A defect of rsd itself, never of its input. Only the programs at the roots catch it.
class LogicError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void fail_check(const char* condition, const char* what, const char* file, int line);

}  // namespace rsd

// Throws `LogicError` with the condition and its place when `condition` is false.
#define RSD_CHECK(condition, what) \
  ((condition) ? static_cast<void>(0) : ::rsd::fail_check(#condition, what, __FILE__, __LINE__))
