// Who may call.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "server/http/sha256.h"

namespace rsd::server {

// Immutable; safe to share between threads. Holds hashes, not keys.
class ApiKeys {
 public:
  // None: everybody may call.
  ApiKeys() = default;
  // A key may not be empty.
  explicit ApiKeys(const std::vector<std::string>& keys);

  // Reads one key per line; white space around it and blank lines are ignored. kInvalidInput, which
  // names `source`, if there is no key.
  static Result<std::vector<std::string>> parse(const std::string& text, const std::string& source);
  // Reads the keys of a file; kNotFound if it can't be read.
  static Result<std::vector<std::string>> read_file(const std::string& path);

  bool empty() const noexcept { return digests_.empty(); }
  // `authorization`: the header's value, "Bearer <key>". Returns the key's digest, 64 hexadecimal
  // digits: a name that doesn't reveal the key and is the same in other lists. nullopt: it is none
  // of the keys. The time doesn't depend on how much of a key is right.
  std::optional<std::string> name_of(std::string_view authorization) const;

 private:
  std::vector<Sha256Digest> digests_;
};

}  // namespace rsd::server
