#include "rsd/core/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/code_points.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

// One row of the Unicode Standard's table 3-7, "Well-Formed UTF-8 Byte Sequences": the range of the
// first byte and of the second. All later bytes are 80..BF. The narrowed second bytes exclude
// overlong forms (E0, F0), surrogates (ED) and code points above U+10FFFF (F4).
struct SequenceForm {
  std::uint8_t lead_first, lead_last;
  std::uint8_t second_first, second_last;
  std::uint8_t length_bytes;
};

constexpr std::array<SequenceForm, 8> kMultiByteForms = {{
    {0xC2, 0xDF, 0x80, 0xBF, 2},
    {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3},
    {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4},
    {0xF4, 0xF4, 0x80, 0x8F, 4},
}};

std::uint8_t byte_at(std::string_view text, std::size_t offset) {
  return static_cast<std::uint8_t>(text[offset]);
}

}  // namespace

std::size_t sequence_length(std::string_view text) noexcept {
  const std::uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  const auto form = std::ranges::find_if(kMultiByteForms, [lead](const SequenceForm& candidate) {
    return candidate.lead_first <= lead && lead <= candidate.lead_last;
  });
  if (form == kMultiByteForms.end() || text.size() < form->length_bytes) return 0;
  const std::uint8_t second = byte_at(text, 1);
  if (second < form->second_first || second > form->second_last) return 0;
  for (std::size_t i = 2; i < form->length_bytes; ++i) {
    if ((byte_at(text, i) & 0xC0) != 0x80) return 0;
  }
  return form->length_bytes;
}

char32_t decode(std::string_view sequence) noexcept {
  if (sequence.size() == 1) return byte_at(sequence, 0);
  // The first of n bytes uses n + 1 bits for the length, every later byte two bits.
  char32_t code_point = byte_at(sequence, 0) & (0x7FU >> sequence.size());
  for (std::size_t i = 1; i < sequence.size(); ++i) {
    code_point = (code_point << 6) | (byte_at(sequence, i) & 0x3FU);
  }
  return code_point;
}

bool is_space_or_control(char32_t c) noexcept {
  return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept {
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t length = sequence_length(text.substr(offset));
    if (length == 0) return offset;
    offset += length;
  }
  return std::nullopt;
}

std::string single_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  bool gap = false;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    RSD_CHECK(length > 0, "single_line of text that is not UTF-8");
    const std::string_view sequence = text.substr(0, length);
    text.remove_prefix(length);
    if (is_space_or_control(decode(sequence))) {
      gap = true;
      continue;
    }
    if (gap && !line.empty()) line += ' ';
    gap = false;
    line += sequence;
  }
  return line;
}

}  // namespace rsd
