// XXH64, a fast checksum: finds damage and tells contents apart, but not against those who want to
// deceive. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rsd {

// The value that every implementation of XXH64 gives, on machines of either byte order. With the
// digest of what came before as the seed, several pieces have one digest, which depends on where
// one ends and the next begins.
std::uint64_t xxh64(std::span<const std::uint8_t> bytes, std::uint64_t seed = 0) noexcept;
std::uint64_t xxh64(std::string_view text, std::uint64_t seed = 0) noexcept;

// 16 hexadecimal digits.
std::string hex(std::uint64_t digest);

}  // namespace rsd
