#include "calibrated_windows.h"

#include <algorithm>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr float kUnknown = -std::numeric_limits<float>::infinity();

}  // namespace

CalibratedWindows::CalibratedWindows(const Ranking& order, const WindowOptions& options)
    : order_(order.items().begin(), order.items().end()),
      size_(options.size),
      n_above_pivot_(options.pivot.value_or(options.size / 2)),
      scores_(order_.size(), kUnknown) {
  RSD_CHECK(order.size() > size_, "a list longer than a window");
  rest_.assign(order_.begin() + static_cast<std::ptrdiff_t>(size_), order_.end());
}

Window CalibratedWindows::give(std::vector<ItemId> items) {
  --most_windows_;
  under_way_.emplace(next_number_, items);
  return {.number = next_number_++,
          .items = std::move(items),
          .wanted = 0,
          .is_last = false,
          .pivot = std::nullopt,
          .takes_one_row = true};
}

std::optional<Window> CalibratedWindows::next() {
  if (n_first_to_come() > 0)
    return give({order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(size_)});
  if (!pivot_ || n_comparisons_to_come() == 0) return std::nullopt;
  return give(deal_next());
}

// Deals the items to the windows in turn: a pivot's logit depends on the other items of its window,
// so the windows should be similar.
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
  const auto shown = taken(under_way_, number);
  const std::span<const ItemId> items = shown;
  if (window.first_row.empty()) {
    RSD_CHECK(window.verified == 0, "the first row of a window that was decoded");
    return take_back(items);
  }
  RSD_CHECK(window.first_row.size() == items.size(), "a logit for each item of a window");
  if (pivot_) return score(items.subspan(1), window.first_row.subspan(1), window.first_row[0]);
  const std::vector<double> logits(window.first_row.begin(), window.first_row.end());
  const std::size_t pivot = Ranking::by_score(logits).at(Position(n_above_pivot_)).slot();
  pivot_ = items[pivot];
  score(items, window.first_row, window.first_row[pivot]);
}

void CalibratedWindows::score(std::span<const ItemId> items, std::span<const float> logits,
                              float pivot) {
  for (std::size_t n = 0; n < items.size(); ++n)
    scores_[items[n].slot()] = logits[n] - pivot;
}

// The window had no time. Its items are returned to the items to compare; the first window is
// returned by next() again.
void CalibratedWindows::take_back(std::span<const ItemId> items) {
  if (pivot_) rest_ = together(order_, rest_, items.subspan(1));
}

std::size_t CalibratedWindows::n_first_to_come() const {
  return !pivot_ && under_way_.empty() ? std::min<std::size_t>(1, most_windows_) : 0;
}

std::size_t CalibratedWindows::n_comparisons_to_come() const {
  const std::size_t needed = (rest_.size() + size_ - 2) / (size_ - 1);
  return std::min(needed, most_windows_ - n_first_to_come());
}

std::size_t CalibratedWindows::n_to_come() const {
  return n_first_to_come() + n_comparisons_to_come();
}

// The last items of the list aren't compared: they stay after the compared ones.
void CalibratedWindows::limit(std::size_t n_windows) {
  most_windows_ = n_windows;
}

std::size_t CalibratedWindows::n_within(std::size_t n_rounds, std::size_t at_once) const {
  const std::size_t n_alone = std::min(n_first_to_come(), n_rounds);
  return n_alone + (n_rounds - n_alone) * at_once;
}

Ranking CalibratedWindows::order() const {
  return *Ranking::create(by_score(order_, scores_));
}

std::size_t CalibratedWindows::verified() const {
  return under_way_.empty() && n_to_come() == 0 ? confirmed() : 0;
}

std::size_t CalibratedWindows::confirmed() const {
  const auto n_unknown = std::ranges::count(scores_, kUnknown);
  return scores_.size() - static_cast<std::size_t>(n_unknown);
}

}  // namespace rsd
