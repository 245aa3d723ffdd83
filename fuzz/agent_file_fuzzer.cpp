// An agent's GGUF, and a ranking by it.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "rsd/agent/agent_file.h"
#include "rsd/agent/agent_policy.h"
#include "rsd/decode/history.h"

namespace rsd::fuzz {
namespace {

constexpr std::size_t kItems = 4;

// One round, in which the LLM disagrees with the first item.
History small_history() {
  History history(kItems);
  LogitMatrix logits(2, kItems);
  for (std::size_t item = 0; item < kItems; ++item) {
    logits.row(0)[item] = static_cast<float>(item);
    logits.row(1)[item] = -static_cast<float>(item);
  }
  const auto added = history.add({ItemId(0), ItemId(1)}, {0, 2}, logits);
  require(added.ok(), "the target's own history is sound");
  return history;
}

void require_finite_scores(const RelevanceNetwork& network) {
  const auto scores = agent_policy(network)->score(small_history(), 2);
  if (!is_value(scores)) return;
  require(scores->size() == kItems, "each item has a score");
  require(std::ranges::all_of(*scores, [](double score) { return std::isfinite(score); }),
          "scores are finite");
}

}  // namespace

void take_input(std::string_view input) {
  const MemoryFile file(input);
  const auto agent = load_agent(file.path());
  if (!is_value(agent)) return;
  const MemoryFile written(serialised(*agent));
  const auto again = load_agent(written.path());
  require(is_value(again), "an agent that was written can be read");
  require(std::ranges::equal(again->network.weights(), agent->network.weights()) &&
              again->notes == agent->notes,
          "an agent is written as it was read");
  require_finite_scores(agent->network);
}

}  // namespace rsd::fuzz
