// Rows of logits that several rounds share.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "rsd/decode/logits.h"

namespace rsd {

// A matrix of logits, [n_rows, n_items], as LogitMatrix, whose rows never change and may belong to
// other matrices, too: a copy costs a pointer a row. The last rows may be forgotten; their number
// stays. Value type; copies may be read by several threads.
class SharedRows {
 public:
  SharedRows() = default;
  // Rows of its own.
  explicit SharedRows(const LogitMatrix& rows);
  // The first rows of `before`, `n_before` of them, and behind them rows of its own.
  SharedRows(const SharedRows& before, std::size_t n_before, const LogitMatrix& own);

  std::size_t n_rows() const noexcept { return n_rows_; }
  std::size_t n_items() const noexcept { return n_items_; }
  // The leading rows that are not forgotten.
  std::size_t n_kept() const noexcept { return rows_.size(); }
  // LogicError for j >= n_kept().
  std::span<const float> row(std::size_t j) const;

  // Keeps `n_kept` rows at most.
  void forget_behind(std::size_t n_kept);
  // Takes the rows of `other` in place of its own, as many as there are.
  void replace_front(const SharedRows& other);

  // A copy of the numbers; LogicError where rows are forgotten.
  operator LogitMatrix() const;  // NOLINT(google-explicit-constructor): it is one, but for storage

 private:
  std::size_t n_rows_ = 0;
  std::size_t n_items_ = 0;
  std::vector<std::shared_ptr<const float[]>> rows_;
};

}  // namespace rsd
