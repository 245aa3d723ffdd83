#include "rsd/decode/logits.h"

#include <algorithm>

#include "rsd/core/check.h"

namespace rsd {

SharedRows::SharedRows(const LogitMatrix& rows) : SharedRows({}, 0, rows) {}

SharedRows::SharedRows(const SharedRows& before, std::size_t n_before, const LogitMatrix& own)
    : n_rows_(n_before + own.n_rows()), n_items_(own.n_items()) {
  RSD_CHECK(n_before <= before.n_kept(), "rows that were forgotten");
  rows_.reserve(n_rows_);
  rows_.assign(before.rows_.begin(), before.rows_.begin() + static_cast<std::ptrdiff_t>(n_before));
  for (std::size_t j = 0; j < own.n_rows(); ++j) {
    auto row = std::make_shared<float[]>(n_items_);
    std::ranges::copy(own.row(j), row.get());
    rows_.push_back(std::move(row));
  }
}

std::span<const float> SharedRows::row(std::size_t j) const {
  RSD_CHECK(j < rows_.size(), "a row that was never computed, or is forgotten");
  return {rows_[j].get(), n_items_};
}

void SharedRows::forget_from(std::size_t n_kept) {
  if (n_kept >= rows_.size()) return;
  rows_.resize(n_kept);
  rows_.shrink_to_fit();
}

void SharedRows::replace_front(const SharedRows& other) {
  n_items_ = other.n_items_;
  n_rows_ = std::max(n_rows_, other.n_rows_);
  rows_.resize(std::max(rows_.size(), other.rows_.size()));
  std::ranges::copy(other.rows_, rows_.begin());
}

SharedRows::operator LogitMatrix() const {
  LogitMatrix copy(n_rows_, n_items_);
  for (std::size_t j = 0; j < n_rows_; ++j)
    std::ranges::copy(row(j), copy.row(j).begin());
  return copy;
}

}  // namespace rsd
