#include "server/http/api_keys.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <sstream>

#include "rsd/core/check.h"
#include "rsd/core/file.h"
#include "rsd/core/hex.h"
#include "server/http/words.h"

namespace rsd::server {
namespace {

constexpr std::string_view kScheme = "bearer ";
constexpr std::string_view kSpace = " \t\r";

bool begins_with_scheme(std::string_view header) {
  return header.size() > kScheme.size() && same_word(header.substr(0, kScheme.size()), kScheme);
}

}  // namespace

ApiKeys::ApiKeys(const std::vector<std::string>& keys) {
  digests_.reserve(keys.size());
  for (const std::string& key : keys) {
    RSD_CHECK(!key.empty(), "an empty API key");
    digests_.push_back(sha256(key));
  }
}

Result<std::vector<std::string>> ApiKeys::parse(const std::string& text,
                                                const std::string& source) {
  std::vector<std::string> keys;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (const auto key = trimmed(line, kSpace); !key.empty()) keys.emplace_back(key);
  }
  if (keys.empty()) return Error(ErrorCode::kInvalidInput, source + " holds no API key");
  return keys;
}

Result<std::vector<std::string>> ApiKeys::read_file(const std::string& path) {
  const auto text = rsd::read_file(path);
  if (!text) return text.error().within("can't read the API keys");
  return parse(*text, path);
}

std::optional<std::string> ApiKeys::name_of(std::string_view authorization) const {
  const bool has_scheme = begins_with_scheme(authorization);
  const Sha256Digest given = sha256(
      has_scheme ? trimmed(authorization.substr(kScheme.size()), kSpace) : std::string_view());
  std::size_t number = digests_.size();
  for (std::size_t i = 0; i < digests_.size(); ++i)
    number = CRYPTO_memcmp(digests_[i].data(), given.data(), given.size()) == 0 ? i : number;
  if (!has_scheme || number == digests_.size()) return std::nullopt;
  return hex(given);
}

}  // namespace rsd::server
