// Makes HTML from text.
#pragma once

#include <string>
#include <string_view>

namespace rsd {

// Escapes text for element content and quoted attribute values: & < > " ' become entities.
std::string escape_html(std::string_view text);

// <tag attributes>content</tag>; `content` is HTML.
std::string element(std::string_view tag, std::string_view content,
                    std::string_view attributes = "");
// The same with text as its content.
std::string text_element(std::string_view tag, std::string_view text,
                         std::string_view attributes = "");

// A box for an important message.
std::string warning(const std::string& html);

// A self-contained page in the style of rsd's reports.
std::string html_page(std::string_view title, std::string_view main);

}  // namespace rsd
