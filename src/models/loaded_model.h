// A local LLM with the built-in prompts, to compare models with each other. Internal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/run.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/models/prepare.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

struct LoadedModel {
  std::unique_ptr<LlamaEngine> llm;
  PromptBuilder prompts;
};

// Errors as of checked_model and LlamaEngine::load.
Result<LoadedModel> load_model(const std::string& model, const std::vector<LoraFile>& loras,
                               const PrepareOptions& options);

Result<Outcome> decode(PositionScorer& scorer, const DecodingOptions& options);

}  // namespace rsd
