// System calls that a signal may interrupt. Internal.
#pragma once

#include <cerrno>

namespace rsd {

// Makes the system call again as long as a signal interrupts it, and returns what it returns.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR)
    result = call();
  return result;
}

}  // namespace rsd
