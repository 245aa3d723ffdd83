// Classifies HTTP replies to questions.
#pragma once

#include <string>

#include "remote/http_client.h"

namespace rsd {

enum class ReplyKind {
  kAnswer,     // status 200
  kTimeout,    // may be repeated, but not often: each time costs the server as much
  kTransient,  // another try may succeed
  kBusy,       // the server is healthy but overloaded
  kRefused,    // a healthy server refuses the question; the other replicas would, too
  kUnusable,   // this replica can't be used: its certificate, its key, or its model
};

ReplyKind kind_of(const HttpReply& reply);
// A short description; for an error status, with the server's message.
std::string describe(const HttpReply& reply);

}  // namespace rsd
