// Text cut to a width, for error messages and tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rsd {

// Code points of valid UTF-8. Wide and combining characters count as one.
std::size_t count_chars(std::string_view text) noexcept;

// What error messages show of a value.
inline constexpr std::size_t kShownChars = 60;

// `text` as one line of at most `max_chars` code points; one that was longer ends in "…".
// `text` is valid UTF-8, `max_chars` at least 1.
std::string shorten(std::string_view text, std::size_t max_chars);

}  // namespace rsd
