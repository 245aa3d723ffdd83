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

#include "llm/graph_tap.h"
#include "llm/output_head.h"
#include "llm/prompt_cache.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/llm/llama_engine.h"

namespace rsd {

struct LlamaFree {
  void operator()(llama_context* context) const { llama_free(context); }
  void operator()(llama_adapter_lora* adapter) const { llama_adapter_lora_free(adapter); }
};

// Tokens to encode behind what the cache holds of a sequence.
struct Pass {
  std::span<const TokenId> tokens;
  std::size_t first_position = 0;  // of tokens[0] in the sequence
  std::size_t first_output = 0;    // index of the first token whose logits are wanted
  std::size_t sequence = 0;        // below State::n_sequences
};

// What the LLM gives for a token: its last hidden state where there is an OutputHead, else its
// logits by vocabulary.
using OnOutput =
    std::function<void(std::size_t pass, std::size_t token, std::span<const float> output)>;

struct LlamaEngine::State {
  std::shared_ptr<llama_model> model;  // outlives what is made from it: the members below
  std::vector<std::unique_ptr<llama_adapter_lora, LlamaFree>> loras;
  GraphTap tap;                    // outlives the context, which holds its address
  std::optional<OutputHead> head;  // nullopt: the LLM computes the logits of the whole vocabulary
  std::unique_ptr<llama_context, LlamaFree> context;
  std::shared_ptr<const Tokenizer> tokenizer;
  ModelInfo info;
  PromptCache prompts{0};
  std::uint64_t open_scorers = 0;               // serial number of the scorer that owns the cache
  std::optional<Clock::time_point> give_up_at;  // of the pass that is running

  std::size_t context_size = 0;  // tokens that prompt and ranking may take
  std::size_t n_sequences = 1;   // that the cache tells apart; they share its room

  Result<void> add_context(const LlamaOptions& options);
  Result<void> add_loras(const std::vector<LoraFile>& files);
  Result<void> warm_up();
  std::optional<std::string> cut_head(std::span<const float> logits);
  void describe(const std::string& path);

  // Runs the passes through the LLM together, in batches of kMaxOutputs rows at most. `on_output`
  // is called for every token >= first_output of each pass while its output can be read.
  Result<void> decode(std::span<const Pass> passes, std::optional<Clock::time_point> until,
                      const OnOutput& on_output);
  Result<std::span<const float>> output(std::size_t number, int32_t at_in_batch) const;
};

// Rows of logits that one batch may give: bounds the memory for [rows, vocabulary].
inline constexpr std::size_t kMaxOutputs = 128;
// Decodings of one request that can go on side by side in one batch.
inline constexpr std::size_t kMaxSequences = 32;

}  // namespace rsd
