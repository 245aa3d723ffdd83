// Bytes as text.
#pragma once

#include <span>
#include <string>

namespace rsd {

// Two lower-case hexadecimal digits per byte, the high half of each byte first. Thread-safe.
std::string hex(std::span<const unsigned char> bytes);

}  // namespace rsd
