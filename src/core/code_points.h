// Decodes UTF-8 one code point at a time.
#pragma once

#include <cstddef>
#include <string_view>

namespace rsd {

// The length of the well-formed sequence at the start of `text`, which isn't empty; 0 if there is
// none.
std::size_t sequence_length(std::string_view text) noexcept;

// `sequence` is one well-formed sequence.
char32_t decode(std::string_view sequence) noexcept;

// Unicode's White_Space property and the control characters (general category Cc: C0, DEL, C1).
// Zero-width and bidirectional format characters are not included: they break no line, and scripts
// and emoji need them.
bool is_space_or_control(char32_t c) noexcept;

}  // namespace rsd
