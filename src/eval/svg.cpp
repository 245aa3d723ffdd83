#include "eval/svg.h"

#include <array>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "eval/html.h"

namespace rsd {
namespace {

// Red and green of all placeholders: an unlikely near-black.
constexpr int kRed = 0;
constexpr int kGreen = 1;

std::string variable_of(std::size_t index) {
  if (index == kInkColour) return "var(--plot-ink)";
  if (index == kMutedColour) return "var(--plot-muted)";
  if (index == kGridColour) return "var(--plot-grid)";
  if (index >= kFirstRampColour) {
    return "var(--plot-ramp-" + std::to_string(index - kFirstRampColour) + ")";
  }
  return "var(--plot-" + std::to_string(index - kFirstKindColour) + ")";
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

// gnuplot writes a colour in three forms.
void replace_colour(std::string& text, std::size_t index) {
  std::array<char, 40> spaced;
  std::snprintf(spaced.data(), spaced.size(), "rgb(%3d, %3d, %3zu)", kRed, kGreen, index);
  const std::string dense = "rgb(" + std::to_string(kRed) + "," + std::to_string(kGreen) + "," +
                            std::to_string(index) + ")";
  for (const std::string& written : {std::string(spaced.data()), dense, placeholder_colour(index)})
    replace_all(text, written, variable_of(index));
}

// Removes the first `<name>…</name>`.
void drop_element(std::string& text, const std::string& name) {
  const auto from = text.find("<" + name + ">");
  const auto to = text.find("</" + name + ">");
  if (from == std::string::npos || to == std::string::npos || to < from) return;
  text.erase(from, to + name.size() + 3 - from);
}

}  // namespace

std::string placeholder_colour(std::size_t index) {
  std::array<char, 8> hex;
  std::snprintf(hex.data(), hex.size(), "#%02X%02X%02X", kRed, kGreen,
                static_cast<unsigned>(index & 0xff));
  return hex.data();
}

std::string inline_svg(std::string_view document, const std::string& id, const std::string& title) {
  const auto start = document.find("<svg");
  if (start == std::string_view::npos) return "";
  std::string svg(document.substr(start));
  // Browsers would show the first <title> as a tooltip over the whole picture.
  drop_element(svg, "title");
  drop_element(svg, "desc");
  std::vector<std::size_t> colours = {kInkColour, kMutedColour, kGridColour};
  for (std::size_t k = 0; k < kKindColours; ++k)
    colours.push_back(kFirstKindColour + k);
  for (std::size_t k = 0; k < kRampColours; ++k)
    colours.push_back(kFirstRampColour + k);
  for (const std::size_t index : colours)
    replace_colour(svg, index);
  for (const std::string_view reference : {"id='", "id=\"", "href='#", "href=\"#"})
    replace_all(svg, reference, std::string(reference) + id + "-");
  replace_all(svg, " font-family=\"sans-serif\"", "");
  replace_all(svg, "<svg", "<svg role=\"img\" aria-label=\"" + escape_html(title) + "\"");
  return svg;
}

}  // namespace rsd
