#include "learn_costs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rsd/rank/ranking.h"

namespace rsd::cli {
namespace {

constexpr std::size_t kSteps = 4;
constexpr std::size_t kPromptTokens = 64;

// A question with a prompt, and one about rows behind it.
struct Probe {
  std::size_t prompt_tokens;
  std::size_t n_rows;
};
// Of several sizes: a round trip takes its time however little is asked.
constexpr std::array<Probe, 3> kProbes{{{kPromptTokens, 1}, {512, 2}, {1024, 19}}};

// Of a text that nobody has seen before: what a server remembers costs it too little.
std::vector<TokenId> new_prompt(const LlmEngine& llm, std::size_t n_tokens) {
  std::string text = std::to_string(Clock::now().time_since_epoch().count());
  for (std::size_t n = 0; n < n_tokens; ++n)
    text += " and";
  auto tokens = llm.tokenizer()->encode_text(text);
  tokens.resize(std::min({n_tokens, tokens.size(), llm.context_size() / 2}));
  return tokens;
}

Result<void> learn_locally(LlamaEngine& llm, CostModel& costs) {
  const auto tokens = new_prompt(llm, kPromptTokens);
  const std::size_t n_steps = std::min(kSteps, tokens.size());
  const auto times = llm.time_generation(tokens, std::span(tokens).first(n_steps));
  if (!times) return times.error().within("learning what encodings cost");
  costs.observe_prefill(tokens.size(), times->prefill_ms);
  if (n_steps > 1) costs.observe_encoding(1, times->decode_ms / static_cast<double>(n_steps - 1));
  return {};
}

Result<void> learn_remotely(Engine& engine, const Probe& probe, CostModel& costs) {
  Prompt prompt{.tokens = new_prompt(engine.llm(), probe.prompt_tokens)};
  prompt.identifiers = engine.prompts().identifiers(Task::kPassage).tokens;
  const std::size_t n_items = std::min(prompt.identifiers.size(), probe.n_rows + 1);
  if (n_items < 2) return {};
  prompt.identifiers.resize(n_items);
  const Ranking proposal = Ranking::identity(n_items);
  auto scorer = engine.llm().open(std::move(prompt));
  if (!scorer) return scorer.error();
  const auto first = (*scorer)->encode({.proposal = {}, .rows = {0, 1}});
  if (!first) return first.error();
  const auto second = (*scorer)->encode({.proposal = proposal.items(), .rows = {1, n_items}});
  if (!second) return second.error();
  costs.observe_prefill(first->n_tokens, first->ms);
  costs.observe_encoding(second->n_tokens, second->ms);
  return {};
}

}  // namespace

Result<void> learn_costs(Engine& engine, CostModel& costs) {
  if (LlamaEngine* local = engine.local_llm()) return learn_locally(*local, costs);
  for (const Probe& probe : kProbes)
    if (auto done = learn_remotely(engine, probe, costs); !done) return done;
  return {};
}

}  // namespace rsd::cli
