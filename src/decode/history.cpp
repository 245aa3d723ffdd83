#include "rsd/decode/history.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "decode/common_prefix.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

Result<void> check_finite(const LogitMatrix& logits, std::size_t first_row) {
  for (std::size_t j = 0; j < logits.n_rows(); ++j) {
    const auto row = logits.row(j);
    const auto bad =
        std::find_if_not(row.begin(), row.end(), [](float z) { return std::isfinite(z); });
    if (bad != row.end()) {
      return Error(ErrorCode::kRuntime, "the LLM's logit at position " +
                                            std::to_string(first_row + j) + " for item " +
                                            std::to_string(bad - row.begin()) + " is " +
                                            std::to_string(*bad) + ", not a finite number");
    }
  }
  return {};
}

}  // namespace

ItemId masked_argmax(std::span<const float> row, const std::vector<bool>& placed) {
  std::size_t best = row.size();
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!placed[i] && (best == row.size() || row[i] > row[best])) best = i;
  }
  RSD_CHECK(best < row.size(), "masked_argmax with every item placed");
  return ItemId(best);
}

History::History(std::size_t n_items, std::size_t n_recent)
    : n_items_(n_items), n_recent_(n_recent), placed_(n_items, false) {
  RSD_CHECK(n_items >= 1, "a request without items");
  RSD_CHECK(n_recent >= 1, "the last round is always recent");
  if (n_items == 1) place(ItemId(0));
}

RowRange History::missing_rows(std::span<const ItemId> proposal, std::size_t end) const {
  if (rounds_.empty()) return {0, end};
  // Row j is conditioned on the first j items, so it is unchanged if the last proposal began with
  // them.
  const Round& last = rounds_.back();
  const std::size_t unchanged =
      std::min(common_prefix(proposal, last.proposal) + 1, last.logits.n_rows());
  return {std::min(unchanged, end), end};
}

Result<void> History::add(std::vector<ItemId> proposal, RowRange rows, const LogitMatrix& logits) {
  RSD_CHECK(common_prefix(known_, proposal) == known_.size(),
            "a proposal without the known prefix");
  RSD_CHECK(rows.end <= n_items_ && rows.end <= proposal.size() + 1,
            "rows after the proposal's end");
  RSD_CHECK(logits.n_rows() == rows.size() && logits.n_items() == n_items_, "shape of the logits");
  RSD_CHECK(rows.first == 0 || (!rounds_.empty() && rows.first <= rounds_.back().logits.n_rows()),
            "rows that leave a gap");
  if (auto finite = check_finite(logits, rows.first); !finite) return finite;

  const SharedRows none;
  Round round{
      .proposal = std::move(proposal),
      .logits = SharedRows(rounds_.empty() ? none : rounds_.back().logits, rows.first, logits)};
  accept(round);
  keep(std::move(round));
  return {};
}

History History::after(std::size_t n_rounds) const {
  RSD_CHECK(n_rounds <= rounds_.size(), "rounds that were not made");
  RSD_CHECK(rounds_.size() <= n_recent_, "rounds whose rows were forgotten");
  History earlier(n_items_, n_recent_);
  if (n_rounds == 0) return earlier;
  for (const Round& round : std::span(rounds_).first(n_rounds))
    earlier.keep(round);
  for (const ItemId item : std::span(known_).first(rounds_[n_rounds - 1].known))
    if (!earlier.placed_[item.slot()]) earlier.place(item);
  return earlier;
}

void History::keep(Round round) {
  latest_rows_.replace_front(round.logits);
  latest_rounds_.resize(latest_rows_.n_rows());
  std::fill_n(latest_rounds_.begin(), round.logits.n_rows(), rounds_.size());
  rounds_.push_back(std::move(round));
  if (rounds_.size() <= n_recent_) return;
  Round& aged = rounds_[rounds_.size() - 1 - n_recent_];
  aged.logits.forget_from(aged.accepted + 1);
}

// Walks down the rows that are conditioned on the known prefix, placing the LLM's own choice at
// each, up to and including the first one that differs from the proposal.
void History::accept(Round& round) {
  while (!complete() && known_.size() < round.logits.n_rows()) {
    const std::size_t position = known_.size();
    const ItemId choice = masked_argmax(round.logits.row(position), placed_);
    place(choice);
    if (position >= round.proposal.size() || round.proposal[position] != choice) break;
  }
  round.accepted = common_prefix(known_, round.proposal);
  round.known = known_.size();
}

void History::place(ItemId item) {
  known_.push_back(item);
  placed_[item.slot()] = true;
  if (known_.size() + 1 == n_items_) {  // the last item is forced
    const auto rest = std::find(placed_.begin(), placed_.end(), false);
    place(ItemId(rest - placed_.begin()));
  }
}

}  // namespace rsd
