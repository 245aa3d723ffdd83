// A request's head: its line and its headers. Where the request ends by it, and what httplib sees.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/http/failure.h"

namespace rsd::server {

// What leaves a doubt about the request's end. A proxy may see the end elsewhere than we do, and
// then passes on for one client what we take from another (RFC 9112, section 11.2). httplib skips
// header lines that it can't read, and takes any beginning of a length for one: so the head is
// judged as it came, from its first byte to the empty line.
std::optional<Failure> framing_fault(std::string_view head);

// Does a body in chunks follow?
bool is_chunked(std::string_view head);

// The head as httplib reads it. It knows targets of the form /path only, so those with scheme and
// host get it, and that host (RFC 9112, section 3.2.2); slashes too many are left out of a path; it
// takes lines up to 8 KiB, so values are cut to that, and none that is longer means anything here;
// it compares the values of Connection letter by letter; and it would take an answer apart by
// Range, which a server may ignore. What is no head stays as it is.
std::string plain_head(std::string_view head);

}  // namespace rsd::server
