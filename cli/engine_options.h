// The options that choose the LLM and its prompt, and the engine that comes of them.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "common_options.h"
#include "remote_options.h"
#include "rsd/core/result.h"
#include "rsd/data/resumable_output.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_builder.h"
#include "rsd/rank/request.h"

namespace rsd::cli {

struct EngineOptions {
  std::string model;
  std::vector<std::string> loras;  // FILE or FILE:SCALE
  std::size_t context_size = 0;
  int gpu_layers = 0;
  std::vector<std::string> rpc_servers;  // HOST:PORT
  std::vector<double> tensor_split;      // their shares of the layers
  std::size_t cache_ram = 0;  // MiB for prompts, of which later ones use the beginning again
  PromptReuseMode reuse = PromptReuseMode::kBeginnings;
  std::size_t parallel = 1;  // requests at a time
  std::vector<std::string> prompt_templates;
  RemoteEngineOptions remote;
};

void add_engine_options(CLI::App& command, EngineOptions& options);

// --parallel, for commands that serve several requests at a time; what `options` holds is the
// default of local LLMs.
void add_parallel_option(CLI::App& command, EngineOptions& options);
// That of remote LLMs, where the user named none. To be called when all options are known.
void settle_parallel(const CLI::App& command, EngineOptions& options);

// --cache-ram; what `options` holds is the default.
void add_cache_option(CLI::App& command, EngineOptions& options);
// None with --rpc, where the user named nothing: each copy would be fetched from its machines. To
// be called when all options are known.
void settle_cache(const CLI::App& command, EngineOptions& options);

// What --lora names. kInvalidArgument: a scale that isn't finite.
Result<std::vector<LoraFile>> parse_loras(const std::vector<std::string>& texts);

// Asks a remote engine for its model, for all that comes after: engine_conditions and Engine::load.
// kInvalidArgument: options that contradict each other; else the errors of
// RemoteEngine::served_model.
Result<EngineOptions> with_served_model(EngineOptions options);

// What rankings depend on besides the requests and the decoder: the files by name, size and time of
// their last change, a remote LLM by its server's name for it, and this version of rsd. Kept with
// unfinished results and compared when they are resumed. kNotFound where no model is named and the
// default one is missing; a remote engine must have been asked (with_served_model).
Result<Conditions> engine_conditions(const EngineOptions& options);

// An LLM that is ready, with its prompts.
class Engine {
 public:
  // kInvalidArgument: options that contradict each other; else as LlamaEngine::load, or
  // load_tokenizer and RemoteEngine::connect.
  static Result<Engine> load(const EngineOptions& options, const CommonOptions& common);

  struct Opened {
    std::unique_ptr<PositionScorer> scorer;
    std::size_t truncated_candidates = 0;
  };
  // Renders the request and opens a scorer; a local LLM's that was opened before ends.
  Result<Opened> open(const Request& request);

  const LlmEngine& llm() const noexcept { return *llm_; }
  LlmEngine& llm() noexcept { return *llm_; }
  // nullptr where the LLM is a remote one.
  LlamaEngine* local_llm() const noexcept { return local_; }
  const PromptBuilder& prompts() const noexcept { return prompts_; }
  // The model's name for people: without folder and ending, where it is a file.
  std::string short_name() const;

 private:
  Engine(std::unique_ptr<LlmEngine> llm, LlamaEngine* local, PromptBuilder prompts)
      : llm_(std::move(llm)), local_(local), prompts_(std::move(prompts)) {}

  static Result<Engine> load_local(const EngineOptions& options, const CommonOptions& common,
                                   const PromptTemplates& templates);
  static Result<Engine> connect(const EngineOptions& options, const PromptTemplates& templates);

  std::unique_ptr<LlmEngine> llm_;
  LlamaEngine* local_;  // llm_ as what it is
  PromptBuilder prompts_;
};

}  // namespace rsd::cli
