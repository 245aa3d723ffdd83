// A GGUF model with its LoRA adapters, as llama.cpp loads them.
#pragma once

#include <llama.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "llm/file_watch.h"
#include "llm/rpc_distribution.h"
#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/prompt/prompt_template.h"

namespace rsd {

struct LlamaFree {
  void operator()(llama_context* context) const { llama_free(context); }
  void operator()(llama_adapter_lora* adapter) const { llama_adapter_lora_free(adapter); }
};

using ContextPtr = std::unique_ptr<llama_context, LlamaFree>;

// Immutable once it is loaded.
class LlamaModel {
 public:
  // The options must be valid. kInvalidInput (no model of llama.cpp's, or an adapter for another
  // one), kUnsupported (not a decoder-only language model), errors of RpcDistribution::over.
  static Result<std::unique_ptr<LlamaModel>> load(const LlamaOptions& options);

  LlamaModel(const LlamaModel&) = delete;
  LlamaModel& operator=(const LlamaModel&) = delete;

  // Shared, since a tokenizer reads the vocabulary after the engine is gone.
  const std::shared_ptr<llama_model>& handle() const noexcept { return model_; }
  const std::string& path() const noexcept { return path_; }
  // kRuntime: somebody has written into a file of the model, or cut it, since it was loaded. Its
  // weights are the file's memory: passes give wrong logits then, or end the process (SIGBUS).
  Result<void> check_unchanged() const;
  std::size_t n_vocabulary() const;
  std::size_t trained_context() const;
  // Some of its layers are computed by RPC servers.
  bool is_distributed() const noexcept { return machines_.has_value(); }

  // A recurrent or hybrid model: it keeps one state for each sequence, used or not, instead of
  // cells for the tokens, and can't go back to an earlier one.
  bool keeps_one_state() const;
  // It has a sliding window.
  bool slides() const;
  // Why it can't take prompts in blocks; empty: it can.
  std::string why_no_blocks() const;
  // All that doesn't depend on the context: context_size and output_head stay empty. kUnsupported:
  // a prompt layout of another version.
  Result<ModelInfo> describe() const;

  // kRuntime: there is no memory for the cache of a context of so many tokens and what stands
  // beside it. To be asked before new_context(): llama.cpp ends the process where it lacks memory
  // for some of a context's parts. Cost: two system calls.
  Result<void> check_memory(std::size_t n_tokens) const;
  // A context for the model with its adapters; batch sizes follow from params.n_ctx. kRuntime where
  // the memory is lacking.
  Result<ContextPtr> new_context(llama_context_params params) const;

 private:
  LlamaModel() = default;

  Result<void> watch_files();
  Result<void> load_weights(const LlamaOptions& options);
  Result<void> load_loras(const std::vector<LoraFile>& files);
  std::string metadata(const char* key) const;
  Result<std::optional<PromptLayout>> prompt_layout() const;
  Result<std::optional<RelevanceReading>> relevance() const;
  // The value of the key in the last adapter that has it, else in the model; empty: none has.
  std::string own_value(const char* key) const;

  std::string path_;
  std::vector<FileWatch> files_;             // several where the model is split
  bool is_offloaded_ = false;                // layers are on other devices
  std::optional<RpcDistribution> machines_;  // its connections outlive the model
  std::shared_ptr<llama_model> model_;       // outlives its adapters
  std::vector<std::unique_ptr<llama_adapter_lora, LlamaFree>> loras_;
  std::vector<float> lora_scales_;
};

}  // namespace rsd
