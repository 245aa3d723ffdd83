// What headers and key files are made of.
#pragma once

#include <string_view>

namespace rsd::server {

// The same but for the case of letters.
bool same_word(std::string_view a, std::string_view b);

// Without any of the characters of `space` at both ends.
std::string_view trimmed(std::string_view text, std::string_view space);

}  // namespace rsd::server
