#include "models/sha256.h"

#include <array>
#include <fstream>
#include <vector>

#include "rsd/core/hex.h"

namespace rsd {

Sha256::Sha256() : digest_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr);
}

void Sha256::update(std::span<const char> bytes) {
  EVP_DigestUpdate(digest_.get(), bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int length = 0;
  EVP_DigestFinal_ex(digest_.get(), bytes.data(), &length);
  return hex(std::span(bytes).first(length));
}

Result<std::string> sha256(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorCode::kNotFound, "can't read " + path);
  Sha256 digest;
  std::vector<char> block(1 << 20);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0)
    digest.update(std::span(block).first(static_cast<std::size_t>(file.gcount())));
  if (file.bad()) return Error(ErrorCode::kRuntime, "can't read " + path + " to its end");
  return digest.finish();
}

}  // namespace rsd
