// Rows of identifier logits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rsd/core/check.h"

namespace rsd {

// A dense matrix of logits, [n_rows, n_items], row-major. Row j belongs to one position of a
// ranking; element i is the logit of item i's identifier there. Value type.
class LogitMatrix {
 public:
  LogitMatrix() = default;
  LogitMatrix(std::size_t n_rows, std::size_t n_items)
      : n_rows_(n_rows), n_items_(n_items), values_(n_rows * n_items) {}

  std::size_t n_rows() const noexcept { return n_rows_; }
  std::size_t n_items() const noexcept { return n_items_; }

  std::span<float> row(std::size_t j) {
    RSD_CHECK(j < n_rows_, "row of LogitMatrix");
    return {values_.data() + j * n_items_, n_items_};
  }
  std::span<const float> row(std::size_t j) const {
    RSD_CHECK(j < n_rows_, "row of LogitMatrix");
    return {values_.data() + j * n_items_, n_items_};
  }
  std::span<const float> values() const noexcept { return values_; }

 private:
  std::size_t n_rows_ = 0;
  std::size_t n_items_ = 0;
  std::vector<float> values_;
};

}  // namespace rsd
