// Reads float matrices in NumPy's .npy format.
#pragma once

#include <cstddef>
#include <string_view>

#include "rsd/core/result.h"
#include "rsd/decode/logits.h"

namespace rsd {

// Parses a little-endian float32 matrix in C order of exactly this shape (format versions 1 to 3).
// kRuntime names the difference. Source: numpy/lib/format.py.
Result<LogitMatrix> parse_npy(std::string_view file, std::size_t n_rows, std::size_t n_columns);

}  // namespace rsd
