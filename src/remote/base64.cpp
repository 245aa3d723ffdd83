#include "remote/base64.h"

#include <array>
#include <cstdint>

namespace rsd {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;

constexpr std::array<std::uint8_t, 256> values() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNone);
  for (std::size_t n = 0; n < kAlphabet.size(); ++n)
    table[static_cast<unsigned char>(kAlphabet[n])] = static_cast<std::uint8_t>(n);
  return table;
}
constexpr auto kValues = values();

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  const Error invalid(ErrorCode::kRuntime, "it isn't base64");
  if (text.size() % 4 != 0) return invalid;
  std::size_t n_padding = 0;
  while (n_padding < 2 && n_padding < text.size() && text[text.size() - 1 - n_padding] == '=')
    ++n_padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  for (std::size_t n = 0; n < text.size(); ++n) {
    const bool is_padding = n + n_padding >= text.size();
    const std::uint8_t value = is_padding ? 0 : kValues[static_cast<unsigned char>(text[n])];
    if (value == kNone) return invalid;
    bits = bits << 6U | value;
    if (n % 4 != 3) continue;
    for (const unsigned shift : {16U, 8U, 0U})
      bytes += static_cast<char>(bits >> shift & 0xFFU);
    bits = 0;
  }
  bytes.resize(bytes.size() - n_padding);
  return bytes;
}

}  // namespace rsd
