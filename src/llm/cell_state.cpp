#include "llm/cell_state.h"

#include <cstring>

namespace rsd {
namespace {

constexpr const char* kUnknown = "the LLM's cells are not as this version of llama.cpp writes them";

// Takes values off the front; after one that isn't there, all are 0.
class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  template <class Value>
  Value take() {
    Value value{};
    if (const auto from = take_bytes(sizeof(Value)); !from.empty())
      std::memcpy(&value, from.data(), sizeof(Value));
    return value;
  }
  std::span<const std::uint8_t> take_bytes(std::size_t n_bytes) {
    if (n_bytes > bytes_.size() - at_) {
      is_short_ = true;
      return {};
    }
    at_ += n_bytes;
    return bytes_.subspan(at_ - n_bytes, n_bytes);
  }
  std::size_t at() const { return at_; }
  std::size_t n_left() const { return bytes_.size() - at_; }
  bool is_short() const { return is_short_; }
  bool is_at_end() const { return !is_short_ && at_ == bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool is_short_ = false;
};

// The keys or the values of one layer.
struct Rows {
  ggml_type type = GGML_TYPE_COUNT;  // in the LLM's cache
  std::size_t first = 0;             // offset of their bytes
  std::size_t row_bytes = 0;         // in the cache
  std::size_t n_values = 0;          // of a row
};

struct TakenApart {
  std::size_t n_cells = 0;
  bool has_transposed_values = false;
  std::size_t n_layers = 0;
  std::vector<Rows> rows{};  // keys of all layers, then values
};

enum class Storage { kAsInCache, kQ8_0 };

std::size_t stored_bytes(const Rows& rows, Storage storage) {
  if (storage == Storage::kAsInCache) return rows.row_bytes;
  return ggml_row_size(GGML_TYPE_Q8_0, static_cast<int64_t>(rows.n_values));
}

// Are these rows what packed_q8_0 takes? A value takes more than a byte, so they bound what is
// unpacked.
bool are_packed(const Rows& rows, const Cursor& from) {
  const auto block = static_cast<std::size_t>(ggml_blck_size(GGML_TYPE_Q8_0));
  return rows.type == GGML_TYPE_F16 && rows.n_values % block == 0 && rows.n_values <= from.n_left();
}

// Where they can't be read, the cursor is short or the type is GGML_TYPE_COUNT.
Rows take_rows(Cursor& from, bool are_transposed, std::size_t n_cells, Storage storage) {
  Rows rows;
  const auto type = from.take<std::int32_t>();
  if (from.is_short() || type < 0 || type >= GGML_TYPE_COUNT) return rows;
  rows.type = static_cast<ggml_type>(type);
  if (are_transposed) {
    const auto value_bytes = from.take<std::uint32_t>();
    rows.n_values = from.take<std::uint32_t>();
    rows.row_bytes = value_bytes * rows.n_values;
  } else {
    rows.row_bytes = from.take<std::uint64_t>();
    const std::size_t block_bytes = ggml_type_size(rows.type);
    if (block_bytes == 0) return {};  // ggml's numbers of former types
    rows.n_values =
        rows.row_bytes / block_bytes * static_cast<std::size_t>(ggml_blck_size(rows.type));
  }
  rows.first = from.at();
  if (storage == Storage::kQ8_0 && !are_packed(rows, from)) return {};
  const std::size_t each = stored_bytes(rows, storage);
  if (each != 0 && n_cells > SIZE_MAX / each) return {};
  from.take_bytes(each * n_cells);
  return rows;
}

Result<TakenApart> take_apart(std::span<const std::uint8_t> state, Storage storage) {
  constexpr std::size_t kMaxLayers = 4096;
  const Error unknown(ErrorCode::kUnsupported, kUnknown);
  Cursor from(state);
  from.take<std::uint32_t>();  // a magic
  from.take<std::int32_t>();   // the sequence
  const auto n_streams = from.take<std::uint32_t>();
  TakenApart apart{.n_cells = from.take<std::uint32_t>()};
  if (n_streams != 1 || apart.n_cells == 0) return unknown;
  for (std::size_t cell = 0; cell < apart.n_cells && !from.is_short(); ++cell) {
    from.take<std::int32_t>();  // position
    if (from.take<std::uint32_t>() != 1) return unknown;
    from.take<std::int32_t>();  // sequence
  }
  const auto transposed = from.take<std::uint32_t>();
  apart.n_layers = from.take<std::uint32_t>();
  if (transposed > 1 || apart.n_layers == 0 || apart.n_layers > kMaxLayers) return unknown;
  apart.has_transposed_values = transposed == 1;
  for (std::size_t part = 0; part < 2 * apart.n_layers && !from.is_at_end(); ++part) {
    const bool are_values = part >= apart.n_layers;
    apart.rows.push_back(
        take_rows(from, are_values && apart.has_transposed_values, apart.n_cells, storage));
    if (from.is_short() || apart.rows.back().type == GGML_TYPE_COUNT) return unknown;
  }
  if (!from.is_at_end() || apart.rows.size() < apart.n_layers) return unknown;
  return apart;
}

std::string name_of(ggml_type type) {
  const char* name = ggml_type_name(type);
  return name ? name : "";
}

// Copies what stands around the rows, and turns the rows.
template <class Turn>
std::vector<std::uint8_t> turned(std::span<const std::uint8_t> from, const TakenApart& apart,
                                 Storage storage, const Turn& turn) {
  std::vector<std::uint8_t> to;
  std::size_t copied = 0;
  for (const Rows& rows : apart.rows) {
    to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(copied),
              from.begin() + static_cast<std::ptrdiff_t>(rows.first));
    const std::size_t n_bytes = stored_bytes(rows, storage) * apart.n_cells;
    turn(from.subspan(rows.first, n_bytes), rows.n_values, to);
    copied = rows.first + n_bytes;
  }
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(copied), from.end());
  return to;
}

}  // namespace

Result<CellLayout> cell_layout(std::span<const std::uint8_t> state) {
  const auto apart = take_apart(state, Storage::kAsInCache);
  if (!apart) return apart.error();
  CellLayout layout{.has_transposed_values = apart->has_transposed_values,
                    .n_layers = apart->n_layers,
                    .key_type = name_of(apart->rows.front().type),
                    .value_type = name_of(apart->rows.back().type)};
  for (const Rows& rows : apart->rows)
    layout.row_bytes += rows.row_bytes;
  return layout;
}

Result<std::vector<std::uint8_t>> packed_q8_0(std::span<const std::uint8_t> state) {
  const auto apart = take_apart(state, Storage::kAsInCache);
  if (!apart) return apart.error();
  const auto block = static_cast<std::size_t>(ggml_blck_size(GGML_TYPE_Q8_0));
  for (const Rows& rows : apart->rows) {
    if (rows.type == GGML_TYPE_F16 && rows.n_values % block == 0 && !apart->has_transposed_values)
      continue;
    return Error(ErrorCode::kUnsupported,
                 "cells can't be stored as q8_0: that takes rows of F16 with a multiple of " +
                     std::to_string(block) + " values; here are " + std::to_string(rows.n_values) +
                     " of " + name_of(rows.type) +
                     (apart->has_transposed_values ? ", transposed" : ""));
  }
  return turned(
      state, *apart, Storage::kAsInCache,
      [&](std::span<const std::uint8_t> rows, std::size_t n_values, std::vector<std::uint8_t>& to) {
        std::vector<ggml_fp16_t> halves(rows.size() / sizeof(ggml_fp16_t));
        std::memcpy(halves.data(), rows.data(), rows.size());
        std::vector<float> values(halves.size());
        const auto n_all = static_cast<int64_t>(values.size());
        ggml_fp16_to_fp32_row(halves.data(), values.data(), n_all);
        const std::size_t at = to.size();
        to.resize(at + ggml_row_size(GGML_TYPE_Q8_0, n_all));
        ggml_quantize_chunk(GGML_TYPE_Q8_0, values.data(), to.data() + at, 0,
                            n_all / static_cast<int64_t>(n_values), static_cast<int64_t>(n_values),
                            nullptr);
      });
}

Result<std::vector<std::uint8_t>> unpacked_q8_0(std::span<const std::uint8_t> packed) {
  const auto apart = take_apart(packed, Storage::kQ8_0);
  if (!apart) return Error(ErrorCode::kInvalidInput, "these are no cells as q8_0");
  const auto to_float = ggml_get_type_traits(GGML_TYPE_Q8_0)->to_float;
  return turned(
      packed, *apart, Storage::kQ8_0,
      [&](std::span<const std::uint8_t> rows, std::size_t n_values, std::vector<std::uint8_t>& to) {
        const std::size_t n_all = n_values * apart->n_cells;
        std::vector<float> values(n_all);
        to_float(rows.data(), values.data(), static_cast<int64_t>(n_all));
        std::vector<ggml_fp16_t> halves(n_all);
        ggml_fp32_to_fp16_row(values.data(), halves.data(), static_cast<int64_t>(n_all));
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(halves.data());
        to.insert(to.end(), bytes, bytes + n_all * sizeof(ggml_fp16_t));
      });
}

}  // namespace rsd
