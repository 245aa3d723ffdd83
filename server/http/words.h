// Comparing and trimming the words of headers and key files.
#pragma once

#include <string_view>

namespace rsd::server {

// Of the lines of a head, and of a chunked body.
inline constexpr std::string_view kLineEnd = "\r\n";

// Equal, except for the case of letters?
bool same_word(std::string_view a, std::string_view b);

// `text` without the characters of `space` at its ends.
std::string_view trimmed(std::string_view text, std::string_view space);

}  // namespace rsd::server
