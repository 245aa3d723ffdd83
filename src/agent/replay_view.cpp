#include "agent/replay_view.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "rsd/core/check.h"

namespace rsd {

ReplayView::ReplayView(const Replay& replay, std::span<const ItemId> open)
    : place_(open.size()), item_at_(open.size()), logits_(open.size() * open.size()) {
  const std::size_t n = open.size();
  RSD_CHECK(replay.rows.n_rows() == n, "a replay of the open items");
  const std::size_t n_known = replay.order.size() - n;
  for (std::size_t i = 0; i < n; ++i) {
    const auto found = std::ranges::find(replay.order, open[i]);
    place_[i] = static_cast<std::size_t>(found - replay.order.begin()) - n_known;
    item_at_[place_[i]] = i;
  }
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t i = 0; i < n; ++i)
      logits_[row * n + i] = replay.rows.row(row)[open[i].slot()];
  constexpr double kFar = 4;  // about the distance of two prefixes that differ by one exchange of
                              // neighbours
  for (const double distance : replay.distances)
    likeness_.push_back(std::exp(-distance / kFar));
}

double ReplayView::choice_log_prob(std::size_t item) const {
  const std::size_t row = place_[item];
  double sum = 0;
  for (std::size_t place = row; place < n_items(); ++place)
    sum += std::exp(static_cast<double>(logit(row, item_at_[place])) - logit(row, item));
  return -std::log(sum);
}

double ReplayView::lead(std::size_t item) const {
  const std::size_t row = place_[item];
  double lead = row + 1 < n_items() ? std::numeric_limits<double>::infinity() : 0;
  for (std::size_t place = row + 1; place < n_items(); ++place)
    lead = std::min(lead, margin(item, item_at_[place]));
  return lead;
}

double ReplayView::behind(std::size_t item) const {
  return place_[item] > 0 ? margin(item, item_at_[place_[item] - 1]) : 0;
}

double ReplayView::margin(std::size_t a, std::size_t b) const {
  const std::size_t row = std::min(place_[a], place_[b]);
  return static_cast<double>(logit(row, a)) - logit(row, b);
}

Replays::Replays(std::span<const PrefixRow> rows, std::span<const ItemId> known,
                 std::span<const ItemId> open)
    : usual(replay(rows, known), open),
      broad(replay(rows, known, {.sharpness = 0.4}), open),
      sharp(replay(rows, known, {.sharpness = 2.5}), open) {}

}  // namespace rsd
