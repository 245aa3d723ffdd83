// llama.cpp's one-time start.
#pragma once

#include "rsd/core/result.h"

namespace rsd {

// To be called before anything computes; later calls do nothing. kMissingDependency on a CPU
// without the instructions that this build was made for.
Result<void> start_backend();

}  // namespace rsd
