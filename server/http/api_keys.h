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

  // One key a line, white space around it and blank lines don't count. kInvalidInput, which names
  // the `source`, when there is none in it.
  static Result<std::vector<std::string>> parse(const std::string& text, const std::string& source);
  // Those of a file; kNotFound when it can't be read.
  static Result<std::vector<std::string>> read_file(const std::string& path);

  bool empty() const noexcept { return digests_.empty(); }
  // `authorization`: the header's value, "Bearer <key>". Returns a name for the key that doesn't
  // reveal it and is the same in other lists, its digest in 64 digits; nullopt: it is none of them.
  // Takes the same time whatever keys there are and however much of one is right.
  std::optional<std::string> name_of(std::string_view authorization) const;

 private:
  std::vector<Digest> digests_;
};

}  // namespace rsd::server
