// Text in HTML.
#pragma once

#include <string>
#include <string_view>

namespace rsd {

// As text or as the value of a quoted attribute: & < > " ' become entities.
std::string escape_html(std::string_view text);

// <tag attributes>content</tag>; `content` is HTML.
std::string element(std::string_view tag, std::string_view content,
                    std::string_view attributes = "");

}  // namespace rsd
