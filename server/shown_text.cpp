#include "shown_text.h"

#include "rsd/core/utf8.h"

namespace rsd::server {
namespace {

// Of the character that a byte begins.
std::size_t length_of(char first) {
  const auto byte = static_cast<unsigned char>(first);
  if (byte >= 0xF0) return 4;
  if (byte >= 0xE0) return 3;
  return byte >= 0xC0 ? 2 : 1;
}

char32_t code_of(std::string_view character) {
  constexpr unsigned kFirstBits[] = {0x7F, 0x1F, 0x0F, 0x07};
  char32_t code = static_cast<unsigned char>(character[0]) & kFirstBits[character.size() - 1];
  for (const char c : character.substr(1))
    code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
  return code;
}

bool is_shown(char32_t code, Letters letters) {
  if (code < 0x80) return code >= 0x20 && code != 0x7F;
  if (letters == Letters::kAscii) return false;
  const auto is_within = [code](char32_t first, char32_t last) {
    return first <= code && code <= last;
  };
  return !is_within(0x80, 0x9F) && code != 0xAD && code != 0x61C && !is_within(0x200B, 0x200F) &&
         !is_within(0x2028, 0x202E) && !is_within(0x2060, 0x206F) && code != 0xFEFF &&
         !is_within(0xE0000, 0xE007F);
}

// The whole character at the beginning; empty where it is no UTF-8.
std::string_view first_of(std::string_view text) {
  const std::string_view character = text.substr(0, length_of(text.front()));
  return find_invalid_utf8(character) ? std::string_view() : character;
}

}  // namespace

std::string shown_text(std::string_view text, std::size_t max_bytes, Letters letters) {
  std::string shown;
  while (!text.empty()) {
    const std::string_view character = first_of(text);
    const bool is_good = !character.empty() && is_shown(code_of(character), letters);
    const std::string_view added = is_good ? character : std::string_view("?");
    if (shown.size() + added.size() > max_bytes) return shown + "...";
    shown += added;
    text.remove_prefix(character.empty() ? 1 : character.size());
  }
  return shown;
}

}  // namespace rsd::server
