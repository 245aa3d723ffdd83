// What llama_state_seq_get_data gives for a sequence, taken apart.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// What the bytes of a context's cells look like, whatever their number.
struct CellLayout {
  bool has_transposed_values = false;  // a context without flash attention
  std::size_t n_layers = 0;
  std::string key_type;  // ggml's names
  std::string value_type;
  std::size_t row_bytes = 0;  // of one cell: the keys and values of all layers

  bool operator==(const CellLayout&) const = default;
};

// kUnsupported: the bytes are not what this version of llama.cpp is known to write.
Result<CellLayout> cell_layout(std::span<const std::uint8_t> state);

// The same with the rows of keys and values as Q8_0, in blocks of 32 values along the row; what
// stands around them is copied. kUnsupported: the rows are not F16, or not of a multiple of 32
// values, or the values are transposed.
Result<std::vector<std::uint8_t>> packed_q8_0(std::span<const std::uint8_t> state);
// The state, rounded. kInvalidInput: this is no packed state.
Result<std::vector<std::uint8_t>> unpacked_q8_0(std::span<const std::uint8_t> packed);

}  // namespace rsd
