// Does this CPU have the instructions that ggml was compiled for?
#pragma once

#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

// `required`: names as in /proc/cpuinfo, separated by spaces. kMissingDependency names those that
// `cpuinfo_flags` lacks and what to do.
Result<void> check_cpu_features(std::string_view required, std::string_view cpuinfo_flags);

// The same for this build and this machine. Always a success where the operating system doesn't
// report features.
Result<void> check_this_cpu();

}  // namespace rsd
