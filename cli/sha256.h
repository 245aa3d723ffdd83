// What tells files apart.
#pragma once

#include <string>

#include "rsd/core/result.h"

namespace rsd::cli {

// The file's SHA-256, in hexadecimal. kNotFound when it can't be opened.
Result<std::string> sha256(const std::string& path);

}  // namespace rsd::cli
