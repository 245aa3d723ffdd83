// What goes wrong with a call, and how each kind of client is told.
#pragma once

#include <optional>
#include <string>

#include "json_body.h"
#include "reply.h"
#include "rsd/core/error.h"

namespace rsd::server {

struct Failure {
  int status = 500;
  std::string message;  // for the client: no paths, nothing of our insides
  std::optional<long> retry_after_s = std::nullopt;
  bool is_empty_list = false;  // which TEI has a name for
  std::string log;             // what the message doesn't tell
};

// The one table of HTTP statuses. What failed inside is told in general terms; the log has the
// rest.
Failure failure_of(const Error& error);

// The calls under way have all the memory there is for them.
Failure no_memory();

// With the status that TEI has for it: 422 for what is not valid, 424 where the LLM failed.
Failure as_tei(Failure failure);

// Whose error body is wanted.
enum class Dialect {
  kRerank,  // {"message", "detail", "error": {"code", "message", "type"}}: what the clients of
            // Cohere, Jina, vLLM and llama-server look for, all in one
  kTei,     // {"error", "error_type"}, and message and detail
};

OutJson error_body(const Failure& failure, Dialect dialect);
Reply error_reply(const Failure& failure, Dialect dialect);

}  // namespace rsd::server
