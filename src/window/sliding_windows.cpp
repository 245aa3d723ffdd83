#include "sliding_windows.h"

#include <algorithm>

#include "rsd/core/check.h"

namespace rsd {
namespace {

std::size_t rounded_up(std::size_t a, std::size_t b) {
  return (a + b - 1) / b;
}

}  // namespace

SlidingWindows::SlidingWindows(const Ranking& order, const WindowOptions& options)
    : options_(options),
      order_(order.items().begin(), order.items().end()),
      passes_(options.passes) {
  RSD_CHECK(order.size() > options.size, "a list longer than a window");
}

std::size_t SlidingWindows::n_per_pass() const {
  return 1 + rounded_up(order_.size() - options_.size, options_.stride);
}

// The last window of a pass is at the front of the list and as wide as the others.
SlidingWindows::Span SlidingWindows::span_of(std::size_t in_pass) const {
  const std::size_t up = in_pass * options_.stride;  // within the list: a stride is below the size
  const std::size_t end = std::max(options_.size, order_.size() - up);
  return {.begin = end - options_.size, .end = end};
}

bool SlidingWindows::is_ready(std::size_t pass) const {
  const Pass& own = passes_[pass];
  if (own.begun == n_per_pass() || own.begun > own.done) return false;
  if (pass == 0) return true;
  std::size_t needed = n_per_pass();  // windows of the previous pass that share items with this one
  while (needed > 0 && span_of(needed - 1).end <= span_of(own.begun).begin)
    --needed;
  return passes_[pass - 1].done >= needed;
}

// The leading positions of a window that later windows see again; before the last pass that is all
// of them.
std::size_t SlidingWindows::seen_of(std::size_t number) const {
  const std::size_t in_pass = number % n_per_pass();
  const bool is_front = in_pass + 1 == n_per_pass();
  if (is_front || number / n_per_pass() + 1 < passes_.size()) return options_.size;
  return span_of(in_pass + 1).end - span_of(in_pass).begin;
}

// seen_of(), or the positions of the wanted top_n that the window covers, if those are more.
std::size_t SlidingWindows::wanted_of(std::size_t number) const {
  const std::size_t begin = span_of(number % n_per_pass()).begin;
  const std::size_t top_n = options_.top_n.value_or(0);
  return std::max(seen_of(number), std::min(options_.size, top_n - std::min(top_n, begin)));
}

std::optional<Window> SlidingWindows::next() {
  for (std::size_t pass = 0; pass < passes_.size(); ++pass) {
    if (!is_ready(pass)) continue;
    const std::size_t in_pass = passes_[pass].begun++;
    const Span span = span_of(in_pass);
    const std::size_t number = pass * n_per_pass() + in_pass;
    const std::vector<ItemId> items(order_.begin() + static_cast<std::ptrdiff_t>(span.begin),
                                    order_.begin() + static_cast<std::ptrdiff_t>(span.end));
    under_way_.emplace(number, items);
    return Window{.number = number,
                  .items = items,
                  .wanted = wanted_of(number),
                  .is_last = span.begin == 0 && pass + 1 == passes_.size(),
                  .pivot = std::nullopt};
  }
  return std::nullopt;
}

void SlidingWindows::absorb(std::size_t number, const RankedWindow& window) {
  const std::size_t verified = window.verified;
  const std::size_t pass = number / n_per_pass();
  const Span span = span_of(number % n_per_pass());
  const auto shown = taken(under_way_, number);
  ++passes_[pass].done;
  std::size_t& end = passes_[pass].confirmed_end;
  end = verified == window.ranking.size() ? std::max(end, span.end) : span.begin + verified;
  std::ranges::copy(ranked_items(shown, window.ranking),
                    order_.begin() + static_cast<std::ptrdiff_t>(span.begin));
  const bool is_last_pass = pass + 1 == passes_.size();
  if (span.begin > 0 || !is_last_pass) exact_ = exact_ && verified >= seen_of(number);
  if (span.begin > 0) {
    confirmed_ = std::min(confirmed_, span.begin);
  } else {
    confirmed_ = is_last_pass ? end : verified;  // later passes started after it
  }
}

std::size_t SlidingWindows::n_to_come() const {
  std::size_t n = 0;
  for (const Pass& pass : passes_)
    n += n_per_pass() - pass.begun;
  return n;
}

// Starts the pass again further back if the limit rose. Left-out windows could change the windows
// ranked since, so these are ranked again.
void SlidingWindows::begin_further_back(std::size_t n_windows) {
  if (passes_.size() > 1 || passes_.front().begun > passes_.front().done) return;
  const std::size_t begin = n_per_pass() - std::min(n_windows, n_per_pass());
  if (begin >= left_out_end_) return;
  passes_.front() = {.begun = begin, .done = begin};
  left_out_end_ = begin;
}

// Leaves out whole passes first, then windows at the end of the list.
void SlidingWindows::limit(std::size_t n_windows) {
  begin_further_back(n_windows);
  while (passes_.size() > 1 && passes_.back().begun == 0 && n_to_come() > n_windows)
    passes_.pop_back();
  for (auto pass = passes_.rbegin(); pass != passes_.rend() && n_to_come() > n_windows; ++pass) {
    if (pass->begun > pass->done) continue;  // a window is in progress and holds its items
    const std::size_t n_left_out = std::min(
        n_to_come() - n_windows, n_per_pass() - 1 - std::min(pass->begun, n_per_pass() - 1));
    if (n_left_out == 0) continue;
    pass->begun += n_left_out;
    pass->done += n_left_out;
    left_out_end_ = pass->begun;
  }
}

Ranking SlidingWindows::order() const {
  return *Ranking::create(order_);
}

std::size_t SlidingWindows::verified() const {
  const bool ended = passes_.back().done == n_per_pass();
  return ended && exact_ ? confirmed_ : 0;
}

std::size_t SlidingWindows::confirmed() const {
  return confirmed_;
}

}  // namespace rsd
