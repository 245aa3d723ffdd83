#include "decode/verification.h"

#include <algorithm>

namespace rsd {
namespace {

// The prior, and its weight in positions.
constexpr double kPriorAcceptance = 0.6;
constexpr double kPriorWeight = 4;

}  // namespace

double acceptance_probability(const History& history) {
  double tried = kPriorWeight;
  double accepted = kPriorWeight * kPriorAcceptance;
  std::size_t known = 0;
  for (const Round& round : history.rounds()) {
    // A round without a proposal has accepted nothing, although its row makes a position known.
    if (!round.proposal.empty()) {
      accepted += static_cast<double>(round.accepted - known);
      tried += static_cast<double>(std::min(round.accepted + 1, round.logits.n_rows()) - known);
    }
    known = round.known;
  }
  return accepted / tried;
}

std::size_t verified_rows_end(const History& history, RowRange rows, const CostModel& costs) {
  const double acceptance = acceptance_probability(history);
  const std::size_t known = history.known().size();
  const std::size_t next_end = std::max(known, rows.first) + 1;
  // The cost of a single position can't be extrapolated from longer encodings, so it is measured
  // once.
  if (costs.encoding_ms(1) && !costs.knows_single()) return std::min(next_end, rows.end);
  double expected = 0;  // positions that become known
  double next = 1;      // probability that one more becomes known
  double best_rate = 0;
  std::size_t best = rows.end;
  for (std::size_t end = next_end; end <= rows.end; ++end) {
    expected += next;
    next *= acceptance;
    const auto ms = costs.encoding_ms(end - std::max<std::size_t>(rows.first, 1));
    if (!ms) return rows.end;
    const double rate = expected / std::max(*ms, 1e-6);
    if (rate < best_rate) continue;
    best_rate = rate;
    best = end;
  }
  return best;
}

}  // namespace rsd
