#include "agent/round_view.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "rsd/core/check.h"

namespace rsd {
namespace {

// log sum exp over the items for which `counts` is true; -infinity if there is none.
template <class Counts>
float log_sum_exp(std::span<const float> row, Counts counts) {
  float highest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < row.size(); ++i)
    if (counts(i)) highest = std::max(highest, row[i]);
  float sum = 0;
  for (std::size_t i = 0; i < row.size(); ++i)
    if (counts(i)) sum += std::exp(row[i] - highest);
  return sum > 0 ? highest + std::log(sum) : highest;
}

}  // namespace

RoundView::RoundView(const Round& round, std::span<const ItemId> open, std::size_t end_row)
    : n_items_(open.size()) {
  const std::size_t end = std::min(end_row, round.logits.n_rows());
  RSD_CHECK(end >= 1 && n_items_ >= 1, "a round with rows and items");
  first_row_ = std::min(round.accepted, end - 1);
  n_rows_ = end - first_row_;
  find_places(round, open);
  logits_.resize(n_rows_ * n_items_);
  for (std::size_t j = 0; j < n_rows_; ++j) {
    const auto row = round.logits.row(first_row_ + j);
    for (std::size_t i = 0; i < n_items_; ++i)
      logits_[j * n_items_ + i] = row[open[i].slot()];
  }
  normalise();
}

void RoundView::find_places(const Round& round, std::span<const ItemId> open) {
  constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
  used_up_at_.assign(n_items_, kNever);
  item_at_.resize(n_items_);
  std::iota(item_at_.begin(), item_at_.end(), std::size_t{0});
  for (std::size_t i = 0; i < n_items_; ++i) {
    const auto found = std::ranges::find(round.proposal, open[i]);
    if (found == round.proposal.end()) continue;
    has_proposal_ = true;
    const auto position = static_cast<std::size_t>(found - round.proposal.begin());
    used_up_at_[i] = position + 1 > first_row_ ? position + 1 - first_row_ : 0;
  }
  std::ranges::stable_sort(item_at_, {}, [&](std::size_t i) { return used_up_at_[i]; });
  place_.resize(n_items_);
  for (std::size_t place = 0; place < n_items_; ++place)
    place_[item_at_[place]] = place;
}

void RoundView::normalise() {
  all_.resize(logits_.size());
  left_.assign(logits_.size(), 0.0F);
  for (std::size_t j = 0; j < n_rows_; ++j) {
    const std::span<const float> row(logits_.data() + j * n_items_, n_items_);
    const float of_all = log_sum_exp(row, [](std::size_t) { return true; });
    const float of_left = log_sum_exp(row, [&](std::size_t i) { return is_left(j, i); });
    for (std::size_t i = 0; i < n_items_; ++i) {
      all_[j * n_items_ + i] = row[i] - of_all;
      if (is_left(j, i)) left_[j * n_items_ + i] = row[i] - of_left;
    }
  }
}

std::size_t RoundView::own_row(std::size_t item) const {
  return std::min(used_up_at_[item] > 0 ? used_up_at_[item] - 1 : 0, n_rows_ - 1);
}

float RoundView::strongest_rival(std::size_t row, std::size_t item) const {
  float highest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < n_items_; ++i)
    if (i != item && is_left(row, i)) highest = std::max(highest, logit(row, i));
  return std::isfinite(highest) ? highest : logit(row, item);
}

Margins::Margins(const RoundView& view, double recency)
    : view_(view),
      sums_((view.n_rows() + 1) * view.n_items(), 0.0),
      weights_(view.n_rows() + 1, 0.0) {
  const std::size_t n = view.n_items();
  for (std::size_t j = 0; j < view.n_rows(); ++j) {
    weights_[j + 1] = recency * weights_[j] + 1;
    for (std::size_t i = 0; i < n; ++i)
      sums_[(j + 1) * n + i] = recency * sums_[j * n + i] + view.logit(j, i);
  }
}

double Margins::operator()(std::size_t a, std::size_t b) const {
  const std::size_t end = view_.n_shared_rows(a, b);
  const double* sums = sums_.data() + end * view_.n_items();
  return end > 0 ? (sums[a] - sums[b]) / weights_[end] : 0;
}

}  // namespace rsd
