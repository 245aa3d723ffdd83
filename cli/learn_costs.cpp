#include "learn_costs.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

namespace rsd::cli {

Result<void> learn_costs(LlamaEngine& llm, CostModel& costs) {
  constexpr std::size_t kPromptTokens = 64;
  constexpr std::size_t kSteps = 4;
  std::string text;
  for (std::size_t n = 0; n < kPromptTokens; ++n)
    text += " and";
  auto tokens = llm.tokenizer()->encode_text(text);
  tokens.resize(std::min({kPromptTokens, tokens.size(), llm.info().context_size - kSteps}));
  const std::size_t n_steps = std::min(kSteps, tokens.size());
  const auto times = llm.time_generation(tokens, std::span(tokens).first(n_steps));
  if (!times) return times.error().within("learning what encodings cost");
  costs.observe_prefill(tokens.size(), times->prefill_ms);
  if (n_steps > 1) costs.observe_encoding(1, times->decode_ms / static_cast<double>(n_steps - 1));
  return {};
}

}  // namespace rsd::cli
