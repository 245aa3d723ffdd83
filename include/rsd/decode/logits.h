// Rows of identifier logits.
#pragma once

#include <cstddef>
#include <memory>
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

// A matrix of logits, [n_rows, n_items], like LogitMatrix, but with immutable rows that several
// matrices may share: a copy costs one pointer per row. The last rows may be forgotten; n_rows()
// stays the same. Value type; copies may be read by several threads.
class SharedRows {
 public:
  SharedRows() = default;
  // Copies the rows.
  explicit SharedRows(const LogitMatrix& rows);
  // Shares the first `n_before` rows of `before` and appends copies of the rows of `own`.
  SharedRows(const SharedRows& before, std::size_t n_before, const LogitMatrix& own);

  std::size_t n_rows() const noexcept { return n_rows_; }
  std::size_t n_items() const noexcept { return n_items_; }
  // The number of leading rows that are not forgotten.
  std::size_t n_kept() const noexcept { return rows_.size(); }
  // LogicError for j >= n_kept().
  std::span<const float> row(std::size_t j) const;

  // Forgets all rows from `n_kept` on.
  void forget_from(std::size_t n_kept);
  // Replaces its first rows by those of `other`, as many as `other` has.
  void replace_front(const SharedRows& other);

  // Copies the values; LogicError if rows were forgotten.
  operator LogitMatrix() const;  // NOLINT(google-explicit-constructor): the same matrix in other
                                 // storage

 private:
  std::size_t n_rows_ = 0;
  std::size_t n_items_ = 0;
  std::vector<std::shared_ptr<const float[]>> rows_;
};

}  // namespace rsd
