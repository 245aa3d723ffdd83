// An LLM with the prompts for it, for work that decodes itself in place of asking a Ranker.
#pragma once

#include <memory>

#include "rsd/core/result.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/ranker/engine_options.h"

namespace rsd {

// Neither part is null. `prompts` are for the LLM's tokenizer.
template <class Engine>
struct Prompted {
  std::unique_ptr<Engine> llm;
  PromptBuilder prompts;

  // open_request().
  Result<OpenedRequest> open(const Request& request) const {
    return open_request(*llm, prompts, request);
  }
};
using PromptedLlm = Prompted<LlmEngine>;
using PromptedLocalLlm = Prompted<LlamaEngine>;

// Reads the templates, then loads the LLM. Errors of load_templates, load_engine and make_prompts.
Result<PromptedLlm> load_prompted(const EngineOptions& options);
// The same for an LLM that must run here. kInvalidArgument if `remote` is set.
Result<PromptedLocalLlm> load_prompted_local(const EngineOptions& options);

}  // namespace rsd
