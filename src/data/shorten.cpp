#include "data/shorten.h"

#include <algorithm>

#include "rsd/core/check.h"
#include "rsd/core/utf8.h"

namespace rsd {
namespace {

bool starts_char(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

}  // namespace

std::size_t count_chars(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_char));
}

std::string shorten(std::string_view text, std::size_t max_chars) {
  RSD_CHECK(max_chars >= 1, "no room for the mark of a cut text");
  std::string line = single_line(text);
  std::size_t chars = 0;
  std::size_t cut = 0;  // where the last character starts that may have to give way to the mark
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (!starts_char(line[i])) continue;
    ++chars;
    if (chars == max_chars) cut = i;
    if (chars > max_chars) return line.substr(0, cut) + "…";
  }
  return line;
}

}  // namespace rsd
