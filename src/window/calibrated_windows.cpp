#include "calibrated_windows.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr std::size_t kFirst = 0;  // the number of the first window

}  // namespace

CalibratedWindows::CalibratedWindows(const Ranking& order, const WindowOptions& options)
    : order_(order.items().begin(), order.items().end()),
      size_(options.size),
      n_above_pivot_(options.pivot.value_or(options.size / 2)),
      scores_(order_.size(), -std::numeric_limits<float>::infinity()) {
  RSD_CHECK(order.size() > size_, "a list longer than a window");
  rest_.assign(order_.begin() + static_cast<std::ptrdiff_t>(size_), order_.end());
}

Window CalibratedWindows::give(std::vector<ItemId> items) {
  --most_windows_;
  under_way_.emplace(next_number_, items);
  return {.number = next_number_++,
          .items = std::move(items),
          .wanted = 1,
          .is_last = false,
          .pivot = std::nullopt,
          .takes_one_row = true};
}

std::optional<Window> CalibratedWindows::next() {
  if (next_number_ == kFirst) {
    if (most_windows_ == 0) return std::nullopt;
    return give({order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(size_)});
  }
  if (!pivot_ || n_comparisons_to_come() == 0) return std::nullopt;
  return give(deal_next());
}

// In turn: a pivot's logit depends on its company, and so the company is made alike. Windows of
// neighbours, each worse than the one before, compare much worse (docs/long-lists.md).
std::vector<ItemId> CalibratedWindows::deal_next() {
  const std::size_t n_windows = n_comparisons_to_come();
  const std::size_t end = std::min(rest_.size(), n_windows * (size_ - 1));
  std::vector<ItemId> dealt{*pivot_};
  std::vector<ItemId> left;
  for (std::size_t n = 0; n < rest_.size(); ++n)
    (n < end && n % n_windows == 0 ? dealt : left).push_back(rest_[n]);
  rest_ = std::move(left);
  return dealt;
}

void CalibratedWindows::absorb(std::size_t number, const RankedWindow& window) {
  const auto shown = under_way_.extract(number);
  RSD_CHECK(!shown.empty(), "a window that is under way");
  const auto& items = shown.mapped();
  const auto& row = window.first_row;
  if (row.empty()) {
    exact_ = false;
    return;
  }
  RSD_CHECK(row.size() == items.size(), "a logit for each item of a window");
  std::size_t pivot = 0;
  if (number == kFirst) {
    std::vector<double> logits(row.begin(), row.end());
    pivot = Ranking::by_score(logits).at(Position(n_above_pivot_)).slot();
    pivot_ = items[pivot];
  }
  for (std::size_t n = number == kFirst ? 0 : 1; n < items.size(); ++n) {
    scores_[items[n].slot()] = row[n] - row[pivot];
    ++n_scored_;
  }
}

std::size_t CalibratedWindows::n_comparisons_to_come() const {
  const bool first_is_to_come = next_number_ == kFirst;
  const bool first_is_there = !first_is_to_come && !under_way_.contains(kFirst);
  if (first_is_there && !pivot_) return 0;
  const std::size_t needed = (rest_.size() + size_ - 2) / (size_ - 1);
  const std::size_t kept_back = first_is_to_come ? std::min<std::size_t>(1, most_windows_) : 0;
  return std::min(needed, most_windows_ - kept_back);
}

std::size_t CalibratedWindows::n_to_come() const {
  const std::size_t n_first = next_number_ == kFirst ? std::min<std::size_t>(1, most_windows_) : 0;
  return n_first + n_comparisons_to_come();
}

// The last items of the list aren't compared: they stay behind those that are.
void CalibratedWindows::limit(std::size_t n_windows) {
  most_windows_ = n_windows;
}

std::size_t CalibratedWindows::n_within(std::size_t n_rounds, std::size_t at_once) const {
  const std::size_t n_alone = next_number_ == kFirst ? std::min<std::size_t>(1, n_rounds) : 0;
  return n_alone + (n_rounds - n_alone) * at_once;
}

Ranking CalibratedWindows::order() const {
  std::vector<ItemId> items = order_;
  std::ranges::stable_sort(items, std::ranges::greater(),
                           [&](ItemId item) { return scores_[item.slot()]; });
  return *Ranking::create(std::move(items));
}

std::size_t CalibratedWindows::verified() const {
  return exact_ && under_way_.empty() && n_to_come() == 0 ? confirmed() : 0;
}

std::size_t CalibratedWindows::confirmed() const {
  return n_scored_;
}

}  // namespace rsd
