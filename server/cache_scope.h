// Which requests may share cached prompts.
#pragma once

#include <optional>
#include <string>

namespace rsd::server {

// A digest of API key (Call::key; empty if none is needed) and salt. Scopes that differ share no
// prompts, so that nobody learns from a prompt's time or tokens what others have asked for. Without
// key and salt the scope is empty, and common to all callers.
std::string cache_scope_of(const std::string& key, const std::optional<std::string>& salt);

}  // namespace rsd::server
