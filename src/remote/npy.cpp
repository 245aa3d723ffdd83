#include "remote/npy.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "rsd/core/shown_text.h"

namespace rsd {
namespace {

Error bad_array(const std::string& what) {
  return {ErrorCode::kRuntime, "the array " + shown_text(what)};
}

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t n = bytes.size(); n-- > 0;)
    value = value << 8U | static_cast<unsigned char>(bytes[n]);
  return value;
}

struct NpyParts {
  std::string header;  // a Python dictionary, without its spaces
  std::string_view data;
};

std::optional<NpyParts> split(std::string_view file) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  constexpr std::size_t kVersionEnd = 8;
  if (file.size() < kVersionEnd || !file.starts_with(kMagic)) return std::nullopt;
  const auto version = static_cast<unsigned char>(file[kMagic.size()]);
  if (version < 1 || version > 3) return std::nullopt;
  const std::size_t length_size = version == 1 ? 2 : 4;
  if (file.size() < kVersionEnd + length_size) return std::nullopt;
  const std::size_t length = little_endian(file.substr(kVersionEnd, length_size));
  file.remove_prefix(kVersionEnd + length_size);
  if (file.size() < length) return std::nullopt;
  NpyParts parts{.header = std::string(file.substr(0, length)), .data = file.substr(length)};
  std::erase_if(parts.header, [](unsigned char c) { return std::isspace(c) != 0; });
  return parts;
}

}  // namespace

Result<LogitMatrix> parse_npy(std::string_view file, std::size_t n_rows, std::size_t n_columns) {
  const auto parts = split(file);
  if (!parts) return bad_array("isn't a .npy file");
  const auto says = [&](const std::string& entry) {
    return parts->header.find(entry) != std::string::npos;
  };
  if (!says("'descr':'<f4'")) return bad_array("isn't float32: " + parts->header);
  if (!says("'fortran_order':False")) return bad_array("isn't in C order: " + parts->header);
  const std::string shape = std::to_string(n_rows) + "," + std::to_string(n_columns);
  if (!says("'shape':(" + shape + ")") && !says("'shape':(" + shape + ",)")) {
    return bad_array("isn't of the shape (" + shape + "): " + parts->header);
  }
  if (parts->data.size() != n_rows * n_columns * sizeof(float)) {
    return bad_array("has " + std::to_string(parts->data.size()) + " bytes for a shape of (" +
                     shape + ")");
  }
  LogitMatrix matrix(n_rows, n_columns);
  for (std::size_t r = 0; r < n_rows; ++r) {
    for (std::size_t c = 0; c < n_columns; ++c) {
      const std::size_t at = (r * n_columns + c) * sizeof(float);
      matrix.row(r)[c] = std::bit_cast<float>(little_endian(parts->data.substr(at, sizeof(float))));
    }
  }
  return matrix;
}

}  // namespace rsd
