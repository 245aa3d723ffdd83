#include "learn_costs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rsd::cli {
namespace {

constexpr std::size_t kSteps = 4;

std::vector<TokenId> short_prompt(const LlmEngine& llm) {
  constexpr std::size_t kPromptTokens = 64;
  std::string text;
  for (std::size_t n = 0; n < kPromptTokens; ++n)
    text += " and";
  auto tokens = llm.tokenizer()->encode_text(text);
  tokens.resize(std::min({kPromptTokens, tokens.size(), llm.context_size() - kSteps}));
  return tokens;
}

Result<void> learn_locally(LlamaEngine& llm, CostModel& costs) {
  const auto tokens = short_prompt(llm);
  const std::size_t n_steps = std::min(kSteps, tokens.size());
  const auto times = llm.time_generation(tokens, std::span(tokens).first(n_steps));
  if (!times) return times.error().within("learning what encodings cost");
  costs.observe_prefill(tokens.size(), times->prefill_ms);
  if (n_steps > 1) costs.observe_encoding(1, times->decode_ms / static_cast<double>(n_steps - 1));
  return {};
}

// The prompt with its first row, then one row more.
Result<void> learn_remotely(Engine& engine, CostModel& costs) {
  Prompt prompt{.tokens = short_prompt(engine.llm())};
  prompt.identifiers = engine.prompts().identifiers(Task::kPassage).tokens;
  if (prompt.identifiers.size() < 2) return {};
  prompt.identifiers.resize(2);
  auto scorer = engine.llm().open(std::move(prompt));
  if (!scorer) return scorer.error();
  const auto first = (*scorer)->encode({.proposal = {}, .rows = {0, 1}});
  if (!first) return first.error();
  const std::array proposal{ItemId(0), ItemId(1)};
  const auto second = (*scorer)->encode({.proposal = proposal, .rows = {1, 2}});
  if (!second) return second.error();
  costs.observe_prefill(first->n_tokens, first->ms);
  costs.observe_encoding(second->n_tokens, second->ms);
  return {};
}

}  // namespace

Result<void> learn_costs(Engine& engine, CostModel& costs) {
  if (LlamaEngine* local = engine.local_llm()) return learn_locally(*local, costs);
  return learn_remotely(engine, costs);
}

}  // namespace rsd::cli
