#include "rsd/train/episode.h"

#include <utility>

#include "rsd/train/hold_out.h"

namespace rsd {
namespace {

Result<Ranking> target_of(const Trace& trace) {
  if (trace.target) return *trace.target;
  const auto known = trace.history.known();
  if (trace.history.complete()) return Ranking::create({known.begin(), known.end()});
  return Error(ErrorCode::kInvalidInput,
               "it has no target, and its rounds don't make all of the target ranking known");
}

}  // namespace

Result<Episode> episode_of(const Trace& trace) {
  if (trace.history.rounds().empty()) return Error(ErrorCode::kInvalidInput, "it has no rounds");
  auto target = target_of(trace);
  if (!target) return target.error();
  return Episode{.id = trace.id,
                 .split_key = trace.split_key.empty() ? split_key_of_id(trace.id) : trace.split_key,
                 .target = *std::move(target),
                 .history = trace.history};
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
