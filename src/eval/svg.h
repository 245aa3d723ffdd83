// Turns gnuplot's SVG into a part of an HTML page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rsd {

// gnuplot writes fixed colours. Colours that the page should define are placeholders, which
// inline_svg replaces by CSS variables (chart.h lists them).
inline constexpr std::size_t kInkColour = 0;
inline constexpr std::size_t kMutedColour = 1;
inline constexpr std::size_t kGridColour = 2;
inline constexpr std::size_t kFirstKindColour = 16;
inline constexpr std::size_t kKindColours = 8;
inline constexpr std::size_t kFirstRampColour = 32;
inline constexpr std::size_t kRampColours = 4;

// The placeholder as "#rrggbb".
std::string placeholder_colour(std::size_t index);

// Extracts the <svg> element, replaces placeholders, prefixes ids and references with `id`, so that
// several pictures can share a page, leaves the font to the page, and sets `title` as the
// description for screen readers.
std::string inline_svg(std::string_view document, const std::string& id, const std::string& title);

}  // namespace rsd
