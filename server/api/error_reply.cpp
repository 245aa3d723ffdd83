#include "server/api/error_reply.h"

#include <string>

namespace rsd::server {
namespace {

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 404:
    case 405:
      return "not_found_error";
    case 413:
      return "too_large_error";
    case 429:
      return "overloaded_error";
    case 503:
      return "unavailable_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

// TEI's names of errors.
const char* tei_type_of(int status) {
  switch (status) {
    case 401:
      return "authentication";
    case 424:
      return "backend";
    case 429:
      return "overloaded";
    case 503:
      return "unhealthy";
    default:
      return status < 500 ? "validation" : "backend";
  }
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidInput:
      return 400;
    case ErrorCode::kTooLong:
    case ErrorCode::kUnsupported:
      return 413;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kDeadlineExceeded:
      return 504;
    case ErrorCode::kMissingDependency:
    case ErrorCode::kRuntime:
      return 500;
  }
  return 500;
}

}  // namespace

Failure failure_of(const Error& error) {
  const int status = status_of(error.code());
  if (status == 500) {
    return {.status = status,
            .message = "the LLM failed; the server's log says why",
            .log = error.message()};
  }
  return {.status = status, .message = error.message()};
}

Failure as_tei(Failure failure) {
  if (failure.status == 400 && !failure.is_empty_list) failure.status = 422;
  if (failure.status == 500) failure.status = 424;
  return failure;
}

OutJson error_body(const Failure& failure, Dialect dialect) {
  OutJson body{{"message", failure.message}, {"detail", failure.message}};
  if (dialect == Dialect::kTei) {
    body["error"] = failure.message;
    body["error_type"] = failure.is_empty_list ? "empty" : tei_type_of(failure.status);
  } else {
    body["error"] = {
        {"code", failure.status}, {"message", failure.message}, {"type", type_of(failure.status)}};
  }
  return body;
}

Reply error_reply(const Failure& failure, Dialect dialect) {
  Reply reply{.status = failure.status, .body = error_body(failure, dialect).dump()};
  reply.notes.failure = failure.log.empty() ? failure.message : failure.log;
  if (failure.retry_after_s)
    reply.headers.emplace_back("Retry-After", std::to_string(*failure.retry_after_s));
  if (failure.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

}  // namespace rsd::server
