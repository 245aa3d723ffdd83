// What an HTTP reply means for the question that it belongs to.
#pragma once

#include <string>

#include "remote/http_client.h"

namespace rsd {

enum class ReplyKind {
  kAnswer,     // status 200
  kTimeout,    // may be tried again, but not often: it costs the server as much each time
  kTransient,  // another try may end otherwise
  kBusy,       // the server has too much to do, and is well
  kRefused,    // the question, by a server that is well: no other replica would take it
  kUnusable,   // this replica can't be asked so: its certificate, its key, what it serves
};

ReplyKind kind_of(const HttpReply& reply);
// In a few words; of a status, with what the server says about it.
std::string describe(const HttpReply& reply);

}  // namespace rsd
