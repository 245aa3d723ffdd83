#include "eval/html.h"

#include "eval/report_style.h"

namespace rsd {

std::string escape_html(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string element(std::string_view tag, std::string_view content, std::string_view attributes) {
  std::string html = "<" + std::string(tag);
  if (!attributes.empty()) html += " " + std::string(attributes);
  return html + ">" + std::string(content) + "</" + std::string(tag) + ">";
}

std::string text_element(std::string_view tag, std::string_view text, std::string_view attributes) {
  return element(tag, escape_html(text), attributes);
}

std::string warning(const std::string& html) {
  return element("div", html, "class=\"warning\" role=\"note\"") + "\n";
}

std::string html_page(std::string_view title, std::string_view main) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
         text_element("title", title) + "\n" + element("style", kReportStyle) +
         "\n</head>\n<body>\n<main>\n" + std::string(main) + "\n</main>\n</body>\n</html>\n";
}

}  // namespace rsd
