// A request's head, its line and its headers: where the request ends, and what httplib sees of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/http/failure.h"

namespace rsd::server {

// A Failure if the head leaves the request's end ambiguous: a proxy could see the end elsewhere
// than we do, and then pass on for one client what we take from another (request smuggling, RFC
// 9112, section 11.2). httplib skips header lines that it can't parse, and accepts a length with
// anything after its digits, so the head is checked as it came, from its first byte to the empty
// line.
std::optional<Failure> framing_fault(std::string_view head);

// Does a chunked body follow?
bool is_chunked(std::string_view head);

// The head in the form that httplib reads; text that isn't a head is returned unchanged.
// - httplib only knows targets of the form /path: a scheme and a host are removed from the target,
//   and the host replaces the header Host (RFC 9112, section 3.2.2). Repeated slashes are removed.
// - It reads lines up to 8 KiB: longer ones are cut, since no header that is used here is so long.
// - It compares the values of Connection case-sensitively.
// - It would send parts of an answer for Range, which a server may ignore: the header is removed.
std::string plain_head(std::string_view head);

}  // namespace rsd::server
