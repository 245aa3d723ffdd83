// The options that choose the LLM and its prompt, and the engine that comes of them.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "common_options.h"
#include "conditions.h"
#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

struct EngineOptions {
  std::string model;
  std::vector<std::string> loras;  // FILE or FILE:SCALE
  std::size_t context_size = 0;
  int gpu_layers = 0;
  std::size_t cache_ram = 0;  // MiB for prompts, of which later ones use the beginning again
  PromptReuseMode reuse = PromptReuseMode::kBeginnings;
  std::size_t parallel = 1;  // requests at a time
  std::vector<std::string> prompt_templates;
};

void add_engine_options(CLI::App& command, EngineOptions& options);

// --cache-ram; what `options` holds is the default.
void add_cache_option(CLI::App& command, EngineOptions& options);

// What --lora names. kInvalidArgument: a scale that isn't finite.
Result<std::vector<LoraFile>> parse_loras(const std::vector<std::string>& texts);

// What rankings depend on besides the requests and the decoder: the files by name, size and time of
// their last change, and this version of rsd. Kept with unfinished results and compared when they
// are resumed. kNotFound where no model is named and the default one is missing.
Result<Conditions> engine_conditions(const EngineOptions& options);

// A loaded LLM with its prompts.
class Engine {
 public:
  static Result<Engine> load(const EngineOptions& options, const CommonOptions& common);

  struct Opened {
    std::unique_ptr<PositionScorer> scorer;
    std::size_t truncated_candidates = 0;
  };
  // Renders the request and opens a scorer; the one opened before ends.
  Result<Opened> open(const Request& request);

  const LlamaEngine& llm() const noexcept { return *llm_; }
  LlamaEngine& llm() noexcept { return *llm_; }
  const PromptBuilder& prompts() const noexcept { return prompts_; }

 private:
  Engine(std::unique_ptr<LlamaEngine> llm, PromptBuilder prompts)
      : llm_(std::move(llm)), prompts_(std::move(prompts)) {}

  std::unique_ptr<LlamaEngine> llm_;
  PromptBuilder prompts_;
};

}  // namespace rsd::cli
