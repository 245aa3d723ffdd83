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
// The same with text as its content.
std::string text_element(std::string_view tag, std::string_view text,
                         std::string_view attributes = "");

// What has to be seen, in a box.
std::string warning(const std::string& html);

// A whole page in the style of our reports, without references to other files.
std::string html_page(std::string_view title, std::string_view main);

}  // namespace rsd
