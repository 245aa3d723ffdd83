// The answer of another server to a question about three candidates.
#pragma once

#include <string_view>

#include "remote/protocol.h"

namespace rsd::fuzz {

void parse_answer_of(const Protocol& protocol, std::string_view answer);

}  // namespace rsd::fuzz
