// SHA-256, which identifies files. Internal.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <span>
#include <string>

#include "rsd/core/result.h"

namespace rsd {

// SHA-256 of bytes that come in parts.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const char> bytes);
  // In hexadecimal; to be called once, at the end.
  std::string finish();

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest_;
};

// The file's SHA-256, in hexadecimal. kNotFound when it can't be opened, kRuntime when it can't be
// read to its end.
Result<std::string> sha256(const std::string& path);

}  // namespace rsd
