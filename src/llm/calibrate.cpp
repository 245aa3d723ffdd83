// What passes of a local LLM cost.
#include <algorithm>
#include <span>

#include "decode/unseen_prompt.h"
#include "rsd/decode/cost_model.h"
#include "rsd/llm/llama_engine.h"

namespace rsd {

Result<void> LlamaEngine::calibrate(CostModel& costs) {
  constexpr std::size_t kPromptTokens = 64;
  constexpr std::size_t kSteps = 4;
  const auto tokens = unseen_prompt(*this, kPromptTokens);
  const std::size_t n_steps = std::min(kSteps, tokens.size());
  const auto times = time_generation(tokens, std::span(tokens).first(n_steps));
  if (!times) return times.error().within("learning what encodings cost");
  costs.observe_prefill(tokens.size(), times->prefill_ms);
  if (n_steps > 1) costs.observe_encoding(1, times->decode_ms / static_cast<double>(n_steps - 1));
  return {};
}

}  // namespace rsd
