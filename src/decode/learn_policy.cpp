#include "rsd/decode/learn_policy.h"

#include <cstddef>
#include <numeric>

#include "rsd/core/check.h"
#include "rsd/decode/history.h"

namespace rsd {
namespace {

// Synthetic logits that prefer another item at each position.
float logit(std::size_t position, std::size_t item, std::size_t n_items) {
  constexpr std::size_t kStep = 7;
  return static_cast<float>((item + kStep * position) % n_items) / static_cast<float>(n_items);
}

// Proposes a whole list: the known prefix, then the other items in input order.
void add_round(History& history) {
  const std::size_t n = history.n_items();
  std::vector<ItemId> proposal(history.known().begin(), history.known().end());
  for (std::size_t i = 0; i < n; ++i)
    if (!history.placed()[i]) proposal.emplace_back(i);
  const RowRange rows = history.missing_rows(proposal, n);
  LogitMatrix logits(rows.size(), n);
  for (std::size_t j = 0; j < rows.size(); ++j)
    for (std::size_t i = 0; i < n; ++i)
      logits.row(j)[i] = logit(rows.first + j, i, n);
  const auto added = history.add(std::move(proposal), rows, logits);
  RSD_CHECK(added.ok(), "made-up logits are finite");
}

}  // namespace

void learn_policy(const RankingPolicy& policy, CostModel& costs,
                  const std::function<Clock::time_point()>& now) {
  for (const std::size_t n_items : {20U, 100U, 256U}) {
    History history(n_items, policy.rounds_read());
    for (const std::size_t n_rounds : {1U, 3U}) {
      while (history.rounds().size() < n_rounds)
        add_round(history);
      const auto start = now();
      if (!policy.score(history, 1)) return;
      costs.observe_policy(policy.name(), n_items, n_rounds, ms_between(start, now()));
    }
  }
}

}  // namespace rsd
