// UTF-8 validation, and normalisation to a single line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace rsd {

// The byte offset of the first ill-formed sequence (overlong forms and surrogates included);
// nullopt when `text` is valid UTF-8.
std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept;

// Replaces runs of white space and control characters by one space and removes them at both ends,
// so that the result is one line. White space has Unicode's White_Space property (no-break spaces,
// line and paragraph separators included); control characters are C0, DEL and C1; zero-width and
// bidirectional format characters stay. Throws LogicError when `text` isn't valid UTF-8.
std::string single_line(std::string_view text);

}  // namespace rsd
