// What questions to a remote LLM cost.
#include <algorithm>
#include <array>
#include <utility>

#include "decode/unseen_prompt.h"
#include "rsd/decode/cost_model.h"
#include "rsd/prompt/identifiers.h"
#include "rsd/rank/ranking.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {
namespace {

// A question with a prompt, and one about rows after it.
struct Probe {
  std::size_t prompt_tokens;
  std::size_t n_rows;
};
// Several sizes, since a round trip takes its time however little is asked.
constexpr std::array<Probe, 3> kProbes{{{64, 1}, {512, 2}, {1024, 19}}};

}  // namespace

Result<void> RemoteEngine::calibrate(CostModel& costs) {
  for (const Probe& probe : kProbes) {
    Prompt prompt{.tokens = unseen_prompt(*this, probe.prompt_tokens)};
    prompt.identifiers = find_identifiers(*tokenizer(), "Ranking:", probe.n_rows + 1).tokens;
    const std::size_t n_items = std::min(prompt.identifiers.size(), max_items());
    if (n_items < 2) return {};
    prompt.identifiers.resize(n_items);
    const Ranking proposal = Ranking::identity(n_items);
    auto scorer = open(std::move(prompt));
    if (!scorer) return scorer.error();
    const auto first = (*scorer)->encode({.proposal = {}, .rows = {0, 1}});
    if (!first) return first.error();
    const auto second = (*scorer)->encode({.proposal = proposal.items(), .rows = {1, n_items}});
    if (!second) return second.error();
    costs.observe_prefill(first->n_tokens, first->ms);
    costs.observe_encoding(second->n_tokens, second->ms);
  }
  return {};
}

}  // namespace rsd
