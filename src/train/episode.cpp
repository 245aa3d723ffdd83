#include "rsd/train/episode.h"

#include <algorithm>
#include <utility>

#include "rsd/train/hold_out.h"

namespace rsd {
namespace {

Error invalid(std::size_t round, const std::string& what) {
  return {ErrorCode::kInvalidInput, "rounds[" + std::to_string(round) + "] " + what};
}

// Adds a recorded round to a history as if it had just been encoded.
Result<void> replay(History& history, std::vector<ItemId> proposal, const SharedRows& logits) {
  const RowRange rows = history.missing_rows(proposal, logits.n_rows());
  LogitMatrix missing(rows.size(), history.n_items());
  for (std::size_t j = 0; j < rows.size(); ++j)
    std::ranges::copy(logits.row(rows.first + j), missing.row(j).begin());
  return history.add(std::move(proposal), rows, missing);
}

Result<Ranking> target_of(const Trace& trace, const History& history) {
  if (trace.target) return Ranking::create(*trace.target);
  if (history.complete()) {
    return Ranking::create({history.known().begin(), history.known().end()});
  }
  return Error(ErrorCode::kInvalidInput,
               "it has no target, and its rounds don't tell all of the target ranking");
}

}  // namespace

History Episode::history_after(std::size_t n_rounds) const {
  History history(target.size(), kEveryRound);
  for (std::size_t t = 0; t < n_rounds; ++t) {
    const auto replayed = replay(history, rounds[t].proposal, rounds[t].logits);
    RSD_CHECK(replayed.ok(), "rounds that were replayed before");
  }
  return history;
}

Result<Episode> episode_of(const Trace& trace) {
  if (trace.rounds.empty()) return Error(ErrorCode::kInvalidInput, "it has no rounds");
  History history(trace.n_items, kEveryRound);
  for (std::size_t t = 0; t < trace.rounds.size(); ++t) {
    const TraceRound& round = trace.rounds[t];
    if (history.complete()) return invalid(t, "comes after all is known");
    const auto known = history.known();
    if (round.proposal.size() < known.size() ||
        !std::equal(known.begin(), known.end(), round.proposal.begin())) {
      return invalid(t, "proposes another prefix than the one that was known before it");
    }
    if (history.missing_rows(round.proposal, round.n_rows).size() == 0) {
      return invalid(t, "tells no row that was not told before");
    }
    LogitMatrix logits(round.n_rows, trace.n_items);
    for (std::size_t j = 0; j < round.n_rows; ++j) {
      const auto row = round.logits.begin() + static_cast<std::ptrdiff_t>(j * trace.n_items);
      std::copy_n(row, trace.n_items, logits.row(j).begin());
    }
    if (auto added = replay(history, round.proposal, SharedRows(logits)); !added) {
      return added.error().within("rounds[" + std::to_string(t) + "]");
    }
  }
  auto target = target_of(trace, history);
  if (!target) return target.error();
  return Episode{.id = trace.id,
                 .split_key = trace.split_key.empty() ? split_key_of_id(trace.id) : trace.split_key,
                 .target = *std::move(target),
                 .rounds = history.rounds()};
}

std::vector<std::size_t> open_order(const History& history, const Ranking& target) {
  std::vector<std::size_t> number(history.n_items());  // number of each pending item
  std::size_t next = 0;
  for (std::size_t i = 0; i < history.n_items(); ++i)
    if (!history.placed()[i]) number[i] = next++;
  std::vector<std::size_t> order;
  for (const ItemId item : target.items())
    if (!history.placed()[item.slot()]) order.push_back(number[item.slot()]);
  return order;
}

}  // namespace rsd
