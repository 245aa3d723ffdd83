#include "llm/cell_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace rsd {
namespace {

constexpr std::size_t kCells = 3;
constexpr std::size_t kLayers = 2;
constexpr std::size_t kRow = 64;  // values

template <class Value>
void put(std::vector<std::uint8_t>& bytes, Value value) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof(value));
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

float value_at(std::size_t n) {
  return std::sin(static_cast<float>(n)) * (n % 7 == 0 ? 20.0F : 0.5F);
}

// As llama_kv_cache::state_write writes them.
std::vector<std::uint8_t> state_of(bool transposed = false, std::size_t row = kRow) {
  std::vector<std::uint8_t> bytes;
  put(bytes, std::uint32_t{0xB4});  // a magic
  put(bytes, std::int32_t{30});     // the sequence
  put(bytes, std::uint32_t{1});
  put(bytes, std::uint32_t{kCells});
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    put(bytes, static_cast<std::int32_t>(5 + cell));
    put(bytes, std::uint32_t{1});
    put(bytes, std::int32_t{30});
  }
  put(bytes, std::uint32_t{transposed ? 1U : 0U});
  put(bytes, std::uint32_t{kLayers});
  for (std::size_t part = 0; part < 2 * kLayers; ++part) {
    put(bytes, static_cast<std::int32_t>(GGML_TYPE_F16));
    if (transposed && part >= kLayers) {
      put(bytes, std::uint32_t{sizeof(ggml_fp16_t)});
      put(bytes, static_cast<std::uint32_t>(row));
    } else {
      put(bytes, std::uint64_t{row * sizeof(ggml_fp16_t)});
    }
    for (std::size_t v = 0; v < kCells * row; ++v)
      put(bytes, ggml_fp32_to_fp16(value_at(part * 1000 + v)));
  }
  return bytes;
}

TEST(CellState, TellsTheLayout) {
  const auto layout = cell_layout(state_of());
  ASSERT_TRUE(layout);
  EXPECT_FALSE(layout->has_transposed_values);
  EXPECT_EQ(layout->n_layers, kLayers);
  EXPECT_EQ(layout->key_type, "f16");
  EXPECT_EQ(layout->row_bytes, 2 * kLayers * kRow * sizeof(ggml_fp16_t));
  const auto transposed = cell_layout(state_of(/*transposed=*/true));
  ASSERT_TRUE(transposed);
  EXPECT_TRUE(transposed->has_transposed_values);
  EXPECT_EQ(transposed->row_bytes, layout->row_bytes);
}

TEST(CellState, WhatIsCutOrLongerIsNotUnderstood) {
  const auto state = state_of();
  // Without the values of some layers it may still be one, of another model.
  for (std::size_t n_bytes = 0; n_bytes < state.size(); ++n_bytes) {
    const auto layout = cell_layout(std::span(state).first(n_bytes));
    EXPECT_TRUE(!layout || layout->row_bytes < 2 * kLayers * kRow * sizeof(ggml_fp16_t)) << n_bytes;
  }
  auto longer = state;
  longer.push_back(0);
  EXPECT_FALSE(cell_layout(longer));
}

TEST(CellState, Q8_0RoundsValuesAndNothingElse) {
  const auto state = state_of();
  const auto packed = packed_q8_0(state);
  ASSERT_TRUE(packed) << packed.error().message();
  const std::size_t n_values = 2 * kLayers * kCells * kRow;
  EXPECT_EQ(packed->size(), state.size() - n_values * 2 + n_values / 32 * 34);
  const auto unpacked = unpacked_q8_0(*packed);
  ASSERT_TRUE(unpacked) << unpacked.error().message();
  ASSERT_EQ(unpacked->size(), state.size());
  const std::size_t n_frame = 16 + 12 * kCells + 8 + 12;
  EXPECT_TRUE(std::equal(state.begin(), state.begin() + n_frame, unpacked->begin()));
  double largest = 0;
  constexpr std::size_t kPartBytes = 12 + kCells * kRow * sizeof(ggml_fp16_t);
  for (std::size_t part = 0; part < 2 * kLayers; ++part) {
    for (std::size_t v = 0; v < kCells * kRow; ++v) {
      ggml_fp16_t half = 0;
      std::memcpy(&half, unpacked->data() + n_frame + part * kPartBytes + 2 * v, sizeof(half));
      largest = std::max(largest, std::abs(static_cast<double>(ggml_fp16_to_fp32(half)) -
                                           value_at(part * 1000 + v)));
    }
  }
  EXPECT_GT(largest, 0);
  EXPECT_LT(largest, 20.0 / 127) << "a 127th of the largest value of 32";
  EXPECT_EQ(*packed_q8_0(*unpacked), *packed) << "what is rounded stays";
}

TEST(CellState, Q8_0RefusesWhatItCantTake) {
  EXPECT_EQ(packed_q8_0(state_of(/*transposed=*/true)).error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(packed_q8_0(state_of(false, 48)).error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(unpacked_q8_0(state_of()).error().code(), ErrorCode::kInvalidInput);
}

constexpr std::size_t kFirstRows = 16 + 12 * kCells + 8;  // where the first layer's type is

template <class Value>
std::vector<std::uint8_t> with(std::vector<std::uint8_t> bytes, std::size_t at, Value value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
  return bytes;
}

// Ends after the head of the second layer's values: what they take is what the head says.
std::vector<std::uint8_t> ending_in(std::int32_t type, std::uint64_t row_bytes) {
  auto bytes = *packed_q8_0(state_of());
  constexpr std::size_t kPackedRows = kCells * kRow / 32 * 34;
  bytes.resize(kFirstRows + (2 * kLayers - 1) * (12 + kPackedRows) + 12);
  return with(with(bytes, bytes.size() - 12, type), bytes.size() - 8, row_bytes);
}

TEST(CellState, TypesThatGgmlHasNoMoreAreRefused) {
  constexpr std::int32_t kFormerType = 4;
  EXPECT_FALSE(cell_layout(with(state_of(), kFirstRows, kFormerType)));
  EXPECT_FALSE(unpacked_q8_0(ending_in(kFormerType, 64)));
}

TEST(CellState, Q8_0RefusesRowsThatAreLongerThanTheState) {
  constexpr std::int32_t kF16 = GGML_TYPE_F16;
  EXPECT_FALSE(unpacked_q8_0(ending_in(kF16, 64)));
  // So many values that the size of their bytes overflows, and is 0.
  EXPECT_FALSE(unpacked_q8_0(ending_in(kF16, 2 * 542551296285575048U)));
}

}  // namespace
}  // namespace rsd
