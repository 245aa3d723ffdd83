#include "data/shorten.h"

#include <algorithm>

#include "rsd/core/shown_text.h"

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
  return shown_text(text, max_chars);
}

}  // namespace rsd
