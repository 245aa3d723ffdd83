// Digests of secrets and of what clients choose.
#pragma once

#include <array>
#include <string_view>

namespace rsd::server {

using Sha256Digest = std::array<unsigned char, 32>;

Sha256Digest sha256(std::string_view text);

}  // namespace rsd::server
