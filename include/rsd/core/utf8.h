// The little that we need to know about UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rsd {

// The byte offset of the first ill-formed sequence (overlong forms and surrogates included);
// nullopt when `text` is valid UTF-8.
std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept;

// Runs of white space and control characters become one space, those at the ends go. Text that went
// through it is one line, whatever it was. White space is what has Unicode's White_Space property
// (the no-break spaces, line and paragraph separators among them), controls are C0, DEL and C1;
// zero-width and bidirectional format characters stay. Throws LogicError when `text` isn't valid
// UTF-8.
std::string single_line(std::string_view text);

}  // namespace rsd
