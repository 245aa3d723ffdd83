#include "models/loaded_model.h"

#include <utility>

#include "models/llama_log.h"
#include "rsd/models/find_damage.h"

namespace rsd {

Result<LoadedModel> load_model(const std::string& model, const std::vector<LoraFile>& loras,
                               const PrepareOptions& options) {
  auto path = checked_model(model);
  if (!path) return path.error();
  auto llm = LlamaEngine::load({.model_path = *std::move(path),
                                .loras = loras,
                                .threads = options.threads,
                                .log = llama_log(options.log)});
  if (!llm) return llm.error();
  PromptBuilder prompts((*llm)->tokenizer(), PromptTemplates());
  return LoadedModel{.llm = *std::move(llm), .prompts = std::move(prompts)};
}

Result<Outcome> decode(PositionScorer& scorer, const DecodingOptions& options) {
  auto decoding = Decoding::create(scorer.n_items(), options);
  if (!decoding) return decoding.error();
  return run(*decoding, scorer);
}

}  // namespace rsd
