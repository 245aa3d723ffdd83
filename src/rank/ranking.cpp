#include "rsd/rank/ranking.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

Error not_a_permutation(std::size_t n_items, ItemId item, std::size_t position,
                        const std::string& complaint) {
  return {ErrorCode::kInvalidInput, "a ranking of " + std::to_string(n_items) +
                                        " items holds item " + std::to_string(item.value()) +
                                        " at position " + std::to_string(position) + complaint};
}

}  // namespace

Ranking Ranking::identity(std::size_t n_items) {
  std::vector<ItemId> items(n_items);
  for (std::size_t i = 0; i < n_items; ++i)
    items[i] = ItemId(i);
  return Ranking(std::move(items));
}

Result<Ranking> Ranking::create(std::vector<ItemId> items) {
  const std::size_t n_items = items.size();
  std::vector<std::optional<std::size_t>> seen_at(n_items);
  for (std::size_t position = 0; position < n_items; ++position) {
    const ItemId item = items[position];
    if (item.value() < 0 || item.slot() >= n_items) {
      return not_a_permutation(n_items, item, position,
                               ", outside 0.." + std::to_string(n_items - 1));
    }
    if (const auto earlier = seen_at[item.slot()]) {
      return not_a_permutation(n_items, item, position,
                               " and at position " + std::to_string(*earlier));
    }
    seen_at[item.slot()] = position;
  }
  return Ranking(std::move(items));
}

Ranking Ranking::by_score(std::span<const double> scores) {
  return with_prefix({}, scores);
}

Ranking Ranking::with_prefix(std::span<const ItemId> prefix, std::span<const double> scores) {
  // NaN would break the strict weak order that sorting requires.
  RSD_CHECK(std::ranges::none_of(scores, [](double score) { return std::isnan(score); }),
            "a score is NaN");
  std::vector<bool> in_prefix(scores.size(), false);
  std::vector<ItemId> items;
  items.reserve(scores.size());
  for (const ItemId item : prefix) {
    RSD_CHECK(item.value() >= 0 && item.slot() < scores.size(), "a prefix item without a score");
    RSD_CHECK(!in_prefix[item.slot()], "an item twice in the prefix");
    in_prefix[item.slot()] = true;
    items.push_back(item);
  }
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!in_prefix[i]) items.emplace_back(i);
  }
  // The items after the prefix are in input order, and a stable sort keeps ties in it.
  std::ranges::stable_sort(items.begin() + std::ssize(prefix), items.end(), std::ranges::greater{},
                           [scores](ItemId item) { return scores[item.slot()]; });
  return Ranking(std::move(items));
}

std::vector<Position> Ranking::positions() const {
  std::vector<Position> positions(items_.size());
  for (std::size_t position = 0; position < items_.size(); ++position) {
    positions[items_[position].slot()] = Position(position);
  }
  return positions;
}

}  // namespace rsd
