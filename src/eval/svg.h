// Turning gnuplot's SVG into a part of an HTML page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rsd {

// gnuplot writes fixed colours. Where the page is to decide, it is given placeholders instead,
// which inline_svg replaces by CSS variables (chart.h lists them).
inline constexpr std::size_t kInkColour = 0;
inline constexpr std::size_t kMutedColour = 1;
inline constexpr std::size_t kGridColour = 2;
inline constexpr std::size_t kFirstKindColour = 16;
inline constexpr std::size_t kKindColours = 8;
inline constexpr std::size_t kFirstRampColour = 32;
inline constexpr std::size_t kRampColours = 4;

// As "#rrggbb".
std::string placeholder_colour(std::size_t index);

// The <svg> element alone: placeholders replaced, ids and references prefixed by `id`, so that
// several pictures share a page, the font left to the page, and `title` as the description that is
// read out.
std::string inline_svg(std::string_view document, const std::string& id, const std::string& title);

}  // namespace rsd
