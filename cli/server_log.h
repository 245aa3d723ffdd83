// The log of `rsd serve`: for people, or a JSON object a line.
#pragma once

#include "server/access_log.h"

namespace rsd::cli {

enum class ServerLogFormat { kText, kJson };

// Sets the log up, which is at `info` unless a level was asked for, and gives what writes a line a
// call.
server::AccessSink start_server_log(ServerLogFormat format, bool level_is_given);

}  // namespace rsd::cli
