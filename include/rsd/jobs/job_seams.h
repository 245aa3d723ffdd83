// How a job reports: its log, and how far it is.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "rsd/core/log.h"

namespace rsd {

// Called on the thread that works: `done` of `total` requests are done. `part` names what they are
// requests of, such as a file. nullopt: their number is not known.
using OnJobProgress = std::function<void(const std::string& part, std::size_t done,
                                         std::optional<std::size_t> total)>;

// Each may be empty.
struct JobSeams {
  LogSink log{};  // also the requests that fail, as errors
  OnJobProgress on_progress{};
  std::function<void()> before_output{};  // called before a line is written to standard output
};

}  // namespace rsd
