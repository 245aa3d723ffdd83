#include "rsd/decode/llm_engine.h"

#include <utility>

namespace rsd {

Result<OpenedRequest> open_request(LlmEngine& llm, const PromptBuilder& prompts,
                                   const Request& request) {
  auto prompt = prompts.build(request, llm.context_size());
  if (!prompt) return prompt.error();
  OpenedRequest opened{.scorer = nullptr, .truncated_candidates = prompt->truncated_candidates};
  auto scorer = llm.open(*std::move(prompt));
  if (!scorer) return scorer.error();
  opened.scorer = *std::move(scorer);
  return opened;
}

}  // namespace rsd
