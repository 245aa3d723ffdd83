// A call that can't be answered as its client asked.
#pragma once

#include <optional>
#include <string>

namespace rsd::server {

struct Failure {
  int status = 500;     // of HTTP
  std::string message;  // for the client: no paths, nothing internal
  std::optional<long> retry_after_s = std::nullopt;
  bool is_empty_list = false;  // the list of documents, an error of its own in TEI's API
  std::string log = {};        // for the log, where the message leaves something out
};

// The calls in progress take all the memory there is for them.
inline Failure no_memory() {
  constexpr long kRetrySeconds = 1;
  return {.status = 503,
          .message = "the requests under way take all the memory that this server has for them",
          .retry_after_s = kRetrySeconds};
}

}  // namespace rsd::server
