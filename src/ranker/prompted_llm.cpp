#include "rsd/ranker/prompted_llm.h"

#include <utility>

namespace rsd {
namespace {

template <class Engine>
Result<Prompted<Engine>> load_with(Result<std::unique_ptr<Engine>> (*load)(const EngineOptions&),
                                   const EngineOptions& options) {
  auto templates = load_templates(options.prompt_templates);
  if (!templates) return templates.error();
  auto llm = load(options);
  if (!llm) return llm.error();
  auto prompts = make_prompts(**llm, *std::move(templates), options.index.get());
  if (!prompts) return prompts.error();
  return Prompted<Engine>{.llm = *std::move(llm), .prompts = *std::move(prompts)};
}

}  // namespace

Result<PromptedLlm> load_prompted(const EngineOptions& options) {
  return load_with(&load_engine, options);
}

Result<PromptedLocalLlm> load_prompted_local(const EngineOptions& options) {
  return load_with(&load_local_engine, options);
}

}  // namespace rsd
