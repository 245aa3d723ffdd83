#include "server/cache_scope.h"

#include "rsd/core/hex.h"
#include "server/http/sha256.h"

namespace rsd::server {

std::string cache_scope_of(const std::string& key, const std::optional<std::string>& salt) {
  if (key.empty() && !salt) return {};
  // The key's length separates the two. An empty salt differs from none.
  std::string both = std::to_string(key.size()) + ":" + key;
  if (salt) both += ":" + *salt;
  return hex(sha256(both));
}

}  // namespace rsd::server
