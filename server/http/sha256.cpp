#include "server/http/sha256.h"

#include <openssl/evp.h>

#include "rsd/core/check.h"

namespace rsd::server {

Sha256Digest sha256(std::string_view text) {
  Sha256Digest digest{};
  unsigned int length = 0;
  const int done =
      EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  RSD_CHECK(done == 1 && length == digest.size(), "SHA-256 is there");
  return digest;
}

}  // namespace rsd::server
