// A call to the server's ranking routes, with an LLM of made-up logits.
#pragma once

#include <functional>
#include <string_view>

#include "server/service.h"

namespace rsd::fuzz {

using RouteOf = std::function<server::Reply(server::Service&, const server::Call&)>;

// `input` is the body and, after kBetweenParts, the value of the headers X-RSD-*. Requires a reply
// in JSON which is no internal error.
void call_service(std::string_view input, const RouteOf& route);

}  // namespace rsd::fuzz
