// Base64 (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

#include "rsd/core/result.h"

namespace rsd {

// Decodes `text`. kRuntime: characters outside the alphabet, white space, or padding that is
// missing or not at the end.
Result<std::string> decode_base64(std::string_view text);

}  // namespace rsd
