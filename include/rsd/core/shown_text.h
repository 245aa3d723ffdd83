// Makes foreign text safe to show in messages, logs and tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rsd {

// Code points of a text that a message quotes.
inline constexpr std::size_t kShownTextChars = 300;

// Returns text from a server, a file or a user as one harmless line of at most `max_chars` code
// points. Runs of white space and control characters (which could colour a terminal or forge log
// lines) become one space and are removed at both ends. Bytes that are not UTF-8 and characters
// that change the text direction become U+FFFD each. A longer text is cut and ends in "…". The
// result is valid UTF-8. Wide and combining characters count as one. The cost depends on
// `max_chars`, not on the length of the text. Throws LogicError when `max_chars` is 0.
std::string shown_text(std::string_view foreign, std::size_t max_chars = kShownTextChars);

}  // namespace rsd
