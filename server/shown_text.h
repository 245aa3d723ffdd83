// Text that others wrote, fit to be shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rsd::server {

enum class Letters {
  kAscii,  // for headers, and for logs that people read: all others are "?"
  kAll,
};

// One line, valid UTF-8, of at most `max_bytes` and the "..." that tells that it was cut. Controls
// (of terminals, too), the characters that turn or hide text (bidirectional, zero-width, line and
// paragraph separators) and what is no UTF-8 become "?". Whatever comes from a client, an engine or
// a file goes through here on its way to a log or into a message; JSON escapes it once more.
std::string shown_text(std::string_view text, std::size_t max_bytes, Letters letters);

}  // namespace rsd::server
