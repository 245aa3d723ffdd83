// The replies to calls that failed, in the form that each kind of client reads.
#pragma once

#include "rsd/core/result.h"
#include "server/api/json_body.h"
#include "server/http/call.h"
#include "server/http/failure.h"

namespace rsd::server {

// The one table of HTTP statuses. For an internal error the message is a general one, and the
// error's own is for the log.
Failure failure_of(const Error& error);

// With the status that TEI uses: 422 for an invalid request, 424 where the LLM failed.
Failure as_tei(Failure failure);

// Whose error body the client reads.
enum class Dialect {
  kRerank,  // {"message", "detail", "error": {"code", "message", "type"}}: what the clients of
            // Cohere, Jina, vLLM and llama-server look for, all in one
  kTei,     // {"error", "error_type"}, and message and detail
};

OutJson error_body(const Failure& failure, Dialect dialect);
Reply error_reply(const Failure& failure, Dialect dialect);

}  // namespace rsd::server
