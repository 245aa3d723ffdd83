#include "llm/lanes.h"

#include <algorithm>

#include "rsd/core/check.h"

namespace rsd {

std::size_t Lanes::n_used() const {
  return std::max<std::size_t>(lanes_.size(), 1);
}

std::size_t Lanes::n_lacking(std::size_t n_lanes) const {
  const auto there =
      std::ranges::count_if(std::span(lanes_).first(std::min(n_lanes, lanes_.size())),
                            [](const std::optional<Lane>& lane) { return lane.has_value(); });
  return n_lanes - static_cast<std::size_t>(there);
}

Lanes::Lane& Lanes::at(std::size_t lane) {
  if (lane >= lanes_.size()) lanes_.resize(lane + 1);
  auto& there = lanes_[lane];
  if (there) return *there;
  const auto sequence = cells_.take();
  RSD_CHECK(sequence.has_value(), "a sequence for every lane");
  if (lane > 0) cells_.share(lanes_.front()->sequence, *sequence, prompt_end_);
  return there.emplace(Lane{.sequence = *sequence, .items = {}});
}

std::span<const ItemId> Lanes::items(std::size_t lane) const {
  if (lane >= lanes_.size() || !lanes_[lane]) return {};
  return lanes_[lane]->items;
}

void Lanes::set_items(std::size_t lane, std::span<const ItemId> items) {
  at(lane).items.assign(items.begin(), items.end());
}

bool Lanes::truncate(std::size_t lane, std::size_t n_items) {
  Lane& truncated = at(lane);
  if (truncated.items.size() <= n_items) return true;
  if (!cells_.truncate(truncated.sequence, prompt_end_ + n_items)) return false;
  truncated.items.resize(n_items);
  return true;
}

bool Lanes::drop_items() {
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
    if (lanes_[lane] && !truncate(lane, 0)) return false;
  return true;
}

void Lanes::forget_all() {
  for (const auto& lane : lanes_)
    if (lane) cells_.release(lane->sequence);
  lanes_.clear();
}

void Lanes::forget_all_but_first() {
  for (std::size_t lane = 1; lane < lanes_.size(); ++lane) {
    if (lanes_[lane]) cells_.release(lanes_[lane]->sequence);
    lanes_[lane].reset();
  }
}

std::size_t Lanes::give_away_first() {
  const std::size_t sequence = lanes_.front()->sequence;
  lanes_.front().reset();
  return sequence;
}

}  // namespace rsd
