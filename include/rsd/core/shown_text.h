// Makes foreign text safe to show in messages, logs and tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rsd {

enum class Letters {
  kAll,
  kAscii,  // for headers, and for logs that terminals of any kind show: all others become "?"
};

// Code points of a text that a message quotes.
inline constexpr std::size_t kShownTextChars = 300;

// Returns text from a server, a file or a user as one harmless line of at most `max_chars` code
// points. Runs of white space and control characters (which could colour a terminal or forge log
// lines) become one space and are removed at both ends. Bytes that are not UTF-8, and characters
// that change the text direction or are invisible, become U+FFFD each (the joiners of scripts and
// emoji stay). A longer text is cut and ends in "…". With kAscii these are "?" and "...". The
// result is valid UTF-8. Wide and combining characters count as one. The cost depends on
// `max_chars`, not on the length of the text. Throws LogicError when `max_chars` has no room for
// the mark of a cut text: below 1, with kAscii below 3.
std::string shown_text(std::string_view foreign, std::size_t max_chars = kShownTextChars,
                       Letters letters = Letters::kAll);

}  // namespace rsd
