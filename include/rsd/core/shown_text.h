// Text of others, as it may stand in messages, logs and tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rsd {

enum class Letters {
  kAll,
  kAscii,  // for headers, and for logs that terminals of any kind show: all others become "?"
};

// Of a text that a message quotes.
inline constexpr std::size_t kShownTextChars = 300;

// What a server, a file or a user wrote, as one line of at most `max_chars` code points that can do
// nothing but be read: runs of white space and control characters (of which terminals make colours,
// and logs lines) become one space, those at the ends go; bytes that are no UTF-8 and characters
// that turn the direction of what follows, or that nobody sees, become U+FFFD each (the joiners of
// scripts and emoji stay). One that was longer ends in "…". With kAscii these are "?" and "...".
// The result is valid UTF-8. Wide and combining characters count as one. Cost: that of what is
// shown, however long the text. Throws LogicError where `max_chars` has no room for the mark of a
// cut text: less than 1, with kAscii less than 3.
std::string shown_text(std::string_view foreign, std::size_t max_chars = kShownTextChars,
                       Letters letters = Letters::kAll);

}  // namespace rsd
