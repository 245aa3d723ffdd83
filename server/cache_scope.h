// Whose prompts may use what is kept of each other.
#pragma once

#include <optional>
#include <string>

namespace rsd::server {

// One scope for each API key (Call::key; empty where none is needed) and salt, a digest of both, so
// that nobody learns from the time or the tokens that a prompt takes what others have asked for.
// Without key and salt the scope is empty: that of all who may call.
std::string cache_scope_of(const std::string& key, const std::optional<std::string>& salt);

}  // namespace rsd::server
