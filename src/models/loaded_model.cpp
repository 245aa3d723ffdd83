#include "models/loaded_model.h"

#include <utility>

#include "models/llama_log.h"
#include "rsd/models/find_damage.h"

namespace rsd {

Result<LoadedModel> LoadedModel::load(const std::string& model, std::vector<LoraFile> loras,
                                      const PrepareOptions& options) {
  auto path = checked_model(model);
  if (!path) return path.error();
  auto llm = LlamaEngine::load({.model_path = *std::move(path),
                                .loras = std::move(loras),
                                .threads = options.threads,
                                .log = llama_log(options.log)});
  if (!llm) return llm.error();
  PromptBuilder prompts((*llm)->tokenizer(), PromptTemplates());
  return LoadedModel(*std::move(llm), std::move(prompts));
}

Result<std::unique_ptr<PositionScorer>> LoadedModel::open(const Request& request) {
  const std::string subject = "request \"" + request.id + "\"";
  auto prompt = prompts_.build(request, llm_->context_size());
  if (!prompt) return prompt.error().within(subject);
  auto scorer = llm_->open(*std::move(prompt));
  if (!scorer) return scorer.error().within(subject);
  return scorer;
}

Result<Outcome> decode(PositionScorer& scorer, const DecodingOptions& options) {
  auto decoding = Decoding::create(scorer.n_items(), options);
  if (!decoding) return decoding.error();
  return run(*decoding, scorer);
}

}  // namespace rsd
