#include "support/npy_text.h"

#include <bit>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string_view>

namespace rsd {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kPreamble = 10;  // magic, version and the header's length

std::string base64(const std::string& bytes) {
  std::string text;
  for (std::size_t n = 0; n < bytes.size(); n += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8U | (n + k < bytes.size() ? static_cast<unsigned char>(bytes[n + k]) : 0U);
    for (const unsigned shift : {18U, 12U, 6U, 0U})
      text += kAlphabet[bits >> shift & 63U];
  }
  if (bytes.size() % 3 > 0)
    text.replace(text.size() - (3 - bytes.size() % 3), std::string::npos, 3 - bytes.size() % 3,
                 '=');
  return text;
}

std::string from_base64(std::string_view text) {
  while (text.ends_with('='))
    text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned n_bits = 0;
  for (const char character : text) {
    const std::size_t value = kAlphabet.find(character);
    if (value == std::string_view::npos) throw std::invalid_argument("no base64");
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    bytes += static_cast<char>(bits >> n_bits & 0xFFU);
  }
  return bytes;
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t n = bytes.size(); n-- > 0;)
    value = value << 8U | static_cast<unsigned char>(bytes[n]);
  return value;
}

}  // namespace

std::string npy_text(const FakeRows& rows) {
  const std::size_t n_columns = rows.empty() ? 0 : rows.front().size();
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows.size()) + ", " + std::to_string(n_columns) + "), }";
  while ((kPreamble + header.size() + 1) % 64 != 0)
    header += ' ';
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xFFU);
  file += static_cast<char>(header.size() >> 8U);
  file += header;
  for (const auto& row : rows) {
    for (const float value : row) {
      const auto bits = std::bit_cast<std::uint32_t>(value);
      for (const unsigned shift : {0U, 8U, 16U, 24U})
        file += static_cast<char>(bits >> shift & 0xFFU);
    }
  }
  return base64(file);
}

FakeRows rows_of_npy_text(const std::string& text) {
  const std::string file = from_base64(text);
  const auto fail = [] { throw std::invalid_argument("no .npy of a matrix of float32"); };
  if (file.size() < kPreamble) fail();
  const std::size_t n_header = little_endian(std::string_view(file).substr(8, 2));
  const std::size_t shape = file.find("'shape': (");
  std::size_t n_rows = 0;
  std::size_t n_columns = 0;
  if (shape == std::string::npos ||
      std::sscanf(file.c_str() + shape, "'shape': (%zu, %zu)", &n_rows, &n_columns) != 2)
    fail();
  std::string_view data = std::string_view(file).substr(kPreamble + n_header);
  if (data.size() != n_rows * n_columns * sizeof(float)) fail();
  FakeRows rows(n_rows, std::vector<float>(n_columns));
  for (auto& row : rows) {
    for (float& value : row) {
      value = std::bit_cast<float>(little_endian(data.substr(0, sizeof(float))));
      data.remove_prefix(sizeof(float));
    }
  }
  return rows;
}

}  // namespace rsd
