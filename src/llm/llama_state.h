// What an engine and its scorers share.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/llm/llama_engine.h"

namespace rsd {

struct LlamaFree {
  void operator()(llama_context* context) const { llama_free(context); }
  void operator()(llama_adapter_lora* adapter) const { llama_adapter_lora_free(adapter); }
};

// Tokens to encode behind what the cache holds.
struct Pass {
  std::span<const TokenId> tokens;
  std::size_t first_position = 0;  // of tokens[0] in the sequence
  std::size_t first_output = 0;    // index of the first token whose logits are wanted
  std::optional<Clock::time_point> give_up_at;
};

struct LlamaEngine::State {
  std::shared_ptr<llama_model> model;  // outlives what is made from it: the members below
  std::vector<std::unique_ptr<llama_adapter_lora, LlamaFree>> loras;
  std::unique_ptr<llama_context, LlamaFree> context;
  std::shared_ptr<const Tokenizer> tokenizer;
  ModelInfo info;
  std::uint64_t open_scorers = 0;               // serial number of the scorer that owns the cache
  std::optional<Clock::time_point> give_up_at;  // of the pass that is running

  std::size_t context_size = 0;  // tokens that prompt and ranking may take

  Result<void> add_context(const LlamaOptions& options);
  Result<void> add_loras(const std::vector<LoraFile>& files);
  Result<void> warm_up();
  void describe(const std::string& path);

  // Runs the pass through the LLM, in batches of kMaxOutputs where rows are wanted. `on_row(t)` is
  // called for every token t >= first_output while its logits can be read.
  Result<void> decode(const Pass& pass,
                      const std::function<void(std::size_t token, const float* logits)>& on_row);
};

// Rows of logits that one batch may give: bounds the memory for [rows, vocabulary].
inline constexpr std::size_t kMaxOutputs = 128;

}  // namespace rsd
