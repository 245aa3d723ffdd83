// NumPy's .npy format, as far as float matrices need it.
#pragma once

#include <cstddef>
#include <string_view>

#include "rsd/core/result.h"
#include "rsd/decode/logits.h"

namespace rsd {

// A float32 matrix in C order of exactly that shape, little-endian (format versions 1 to 3).
// kRuntime names what is different. Source: numpy/lib/format.py.
Result<LogitMatrix> parse_npy(std::string_view file, std::size_t n_rows, std::size_t n_columns);

}  // namespace rsd
