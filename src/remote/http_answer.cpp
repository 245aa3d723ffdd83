#include "remote/http_answer.h"

#include <optional>
#include <string_view>

#include "remote/json_answer.h"
#include "rsd/core/shown_text.h"

namespace rsd {
namespace {

// FastAPI sends {"detail": …}, vLLM {"error": {"message": …}}, SGLang either of them, or "message".
std::string message_in(const std::string& body) {
  const auto json = JsonAnswer::parse(body);
  if (!json) return body;
  const auto error = member(json->root(), "error");
  for (const auto where : {error, std::optional(json->root())}) {
    for (const char* name : {"message", "detail"})
      if (const auto found = text(member(where, name))) return std::string(*found);
  }
  return std::string(text(error).value_or(body));
}

}  // namespace

ReplyKind kind_of(const HttpReply& reply) {
  switch (reply.failure) {
    case HttpFailure::kNone:
      break;
    case HttpFailure::kConnect:
    case HttpFailure::kBroken:
      return ReplyKind::kTransient;
    case HttpFailure::kTimeout:
      return ReplyKind::kTimeout;
    case HttpFailure::kTooLong:
      return ReplyKind::kRefused;
    case HttpFailure::kOther:
      return ReplyKind::kUnusable;
  }
  switch (reply.status) {
    case 200:
      return ReplyKind::kAnswer;
    case 429:
      return ReplyKind::kBusy;
    case 408:
    case 500:
    case 502:
    case 503:
    case 504:
      return ReplyKind::kTransient;
    case 400:
    case 413:
    case 422:
      return ReplyKind::kRefused;
    default:
      return ReplyKind::kUnusable;
  }
}

std::string describe(const HttpReply& reply) {
  if (reply.failure == HttpFailure::kTooLong) return "its answer is longer than is allowed";
  if (reply.failure != HttpFailure::kNone) return shown_text(reply.reason);
  std::string text = "status " + std::to_string(reply.status);
  if (reply.status == 401 || reply.status == 403) text += " (is the API key right?)";
  const std::string message = message_in(reply.body);
  return message.empty() ? text : text + ": " + shown_text(message);
}

}  // namespace rsd
