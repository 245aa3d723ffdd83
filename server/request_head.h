// Where a request ends, by its head: its line and its headers.
#pragma once

#include <optional>
#include <string_view>

#include "failure.h"

namespace rsd::server {

// What leaves a doubt about the request's end. A proxy may see the end elsewhere than we do, and
// then passes on for one client what we take from another (RFC 9112, section 11.2). httplib skips
// header lines that it can't read, and takes any beginning of a length for one: so the head is
// judged as it came, from its first byte to the empty line.
std::optional<Failure> framing_fault(std::string_view head);

}  // namespace rsd::server
