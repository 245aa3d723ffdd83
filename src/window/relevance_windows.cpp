#include "relevance_windows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr float kUnread = -std::numeric_limits<float>::infinity();

}  // namespace

RelevanceWindows::RelevanceWindows(const Ranking& order, const WindowOptions& options)
    : order_(order.items().begin(), order.items().end()),
      size_(options.size),
      unread_(order_),
      relevance_(order_.size(), kUnread) {
  RSD_CHECK(order.size() > size_, "a list longer than a window");
}

Window RelevanceWindows::give(std::vector<ItemId> items, bool is_last) {
  --most_windows_;
  under_way_.emplace(next_number_, items);
  const std::size_t n_items = items.size();
  return {.number = next_number_++,
          .items = std::move(items),
          .wanted = is_last ? n_items : 0,
          .is_last = is_last,
          .pivot = std::nullopt,
          .takes_one_row = !is_last};
}

std::optional<Window> RelevanceWindows::next() {
  if (const std::size_t n_windows = n_readings_to_come(); n_windows > 0) {
    // Of equal sizes, so that none takes longer than the others.
    const std::size_t n_items = std::min((unread_.size() + n_windows - 1) / n_windows, size_);
    const auto end = unread_.begin() + static_cast<std::ptrdiff_t>(n_items);
    std::vector<ItemId> items(unread_.begin(), end);
    unread_.erase(unread_.begin(), end);
    return give(std::move(items), /*is_last=*/false);
  }
  if (last_ != Last::kToCome || !under_way_.empty() || most_windows_ == 0) return std::nullopt;
  std::vector<ItemId> best = by_score(order_, relevance_);
  best.resize(size_);
  last_ = Last::kUnderWay;
  number_of_last_ = next_number_;
  return give(std::move(best), /*is_last=*/true);
}

void RelevanceWindows::absorb(std::size_t number, const RankedWindow& window) {
  const std::vector<ItemId> items = taken(under_way_, number);
  if (last_ == Last::kUnderWay && number == number_of_last_) return absorb_last(window, items);
  if (window.first_row.empty()) {  // there was no time: it is given again
    unread_ = together(order_, unread_, items);
    return;
  }
  if (window.relevance.empty()) return;  // its template leaves no place to read it
  RSD_CHECK(window.relevance.size() == items.size(), "the relevance of each item of a window");
  for (std::size_t n = 0; n < items.size(); ++n)
    relevance_[items[n].slot()] = window.relevance[n];
}

void RelevanceWindows::absorb_last(const RankedWindow& window, const std::vector<ItemId>& items) {
  if (window.verified == 0) {  // there was no time
    last_ = Last::kToCome;
    return;
  }
  last_ = Last::kRanked;
  ranked_ = ranked_items(items, window.ranking);
  verified_ = window.verified;
}

std::size_t RelevanceWindows::n_readings_to_come() const {
  if (last_ != Last::kToCome) return 0;
  const std::size_t needed = (unread_.size() + size_ - 1) / size_;
  return std::min(needed, most_windows_ - std::min<std::size_t>(most_windows_, 1));
}

std::size_t RelevanceWindows::n_to_come() const {
  const std::size_t n_last = last_ == Last::kToCome ? 1 : 0;
  return n_readings_to_come() + std::min(n_last, most_windows_);
}

std::size_t RelevanceWindows::n_within(std::size_t n_rounds, std::size_t at_once) const {
  const std::size_t n_readings = n_rounds - std::min<std::size_t>(n_rounds, 1);
  return n_readings * at_once + (n_rounds - n_readings);
}

Ranking RelevanceWindows::order() const {
  std::vector<ItemId> items = ranked_;
  std::vector<bool> is_ranked(order_.size(), false);
  for (const ItemId item : ranked_)
    is_ranked[item.slot()] = true;
  std::ranges::copy_if(by_score(order_, relevance_), std::back_inserter(items),
                       [&](ItemId item) { return !is_ranked[item.slot()]; });
  return *Ranking::create(std::move(items));
}

// What is read of the others is the LLM's own, too.
std::size_t RelevanceWindows::verified() const {
  if (last_ != Last::kRanked) return 0;
  const auto n_read =
      order_.size() - static_cast<std::size_t>(std::ranges::count(relevance_, kUnread));
  return verified_ < ranked_.size() ? verified_ : std::max(n_read, ranked_.size());
}

}  // namespace rsd
