// A local LLM with the built-in prompts, to compare models with each other. Internal.
#pragma once

#include <memory>
#include <string>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/run.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/models/prepare.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd {

class LoadedModel {
 public:
  // Errors as of checked_model and LlamaEngine::load.
  static Result<LoadedModel> load(const std::string& model, std::vector<LoraFile> loras,
                                  const PrepareOptions& options);

  // The scorer that was opened before must not be used any more. Errors name the request.
  Result<std::unique_ptr<PositionScorer>> open(const Request& request);

 private:
  LoadedModel(std::unique_ptr<LlamaEngine> llm, PromptBuilder prompts)
      : llm_(std::move(llm)), prompts_(std::move(prompts)) {}

  std::unique_ptr<LlamaEngine> llm_;
  PromptBuilder prompts_;
};

Result<Outcome> decode(PositionScorer& scorer, const DecodingOptions& options);

}  // namespace rsd
