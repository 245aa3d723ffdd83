// Files that get their names when they are complete.
#pragma once

#include <string>

#include "rsd/core/result.h"

namespace rsd {

// Gives `file` the name `output`, on the same file system, once it is on the disk: after a power
// cut it is there whole or not at all. kRuntime: it can't be.
Result<void> publish_file(const std::string& file, const std::string& output);

}  // namespace rsd
