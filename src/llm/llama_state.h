// What an engine and its scorers share.
#pragma once

#include <llama.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "llm/graph_tap.h"
#include "llm/output_head.h"
#include "llm/prompt_cache.h"
#include "llm/rpc_distribution.h"
#include "llm/sequence_pool.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/decode/places.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/llm/llama_engine.h"

namespace rsd {

struct LlamaFree {
  void operator()(llama_context* context) const { llama_free(context); }
  void operator()(llama_adapter_lora* adapter) const { llama_adapter_lora_free(adapter); }
};

using LlamaContext = std::unique_ptr<llama_context, LlamaFree>;

class BlockEncoder;

// Tokens to encode behind what the cache holds of a sequence.
struct Pass {
  std::span<const TokenId> tokens;
  std::size_t first_position = 0;  // of tokens[0] in the sequence
  std::size_t first_output = 0;    // index of the first token whose logits are wanted
  std::size_t sequence = 0;        // one that State::sequences gave
};

// What the LLM gives for a token: its last hidden state where there is an OutputHead, else its
// logits by vocabulary.
using OnOutput =
    std::function<void(std::size_t pass, std::size_t token, std::span<const float> output)>;

// A prompt that a scorer has left in the cache for the next one, which may begin alike.
struct Resident {
  std::vector<TokenId> tokens;
  std::size_t sequence = 0;
  std::string cache_scope;
  // Of a prompt that may use it.
  std::size_t n_common(const Prompt& prompt) const {
    const bool may_use = prompt.blocks.empty() && cache_scope == prompt.cache_scope;
    return may_use ? common_beginning(tokens, prompt.tokens) : 0;
  }
};

struct LlamaEngine::State {
  std::optional<RpcDistribution> machines;  // its connections outlive the model
  std::shared_ptr<llama_model> model;       // outlives what is made from it: the members below
  std::vector<std::unique_ptr<llama_adapter_lora, LlamaFree>> loras;
  std::vector<float> lora_scales;
  GraphTap tap;                    // outlives the context, which holds its address
  std::optional<OutputHead> head;  // nullopt: the LLM computes the logits of the whole vocabulary
  llama_context_params params{};   // of the context, but for its size
  LlamaContext context;
  std::shared_ptr<const Tokenizer> tokenizer;
  ModelInfo info;
  std::optional<Clock::time_point> give_up_at;  // of the pass that is running
  double passes_ms = 0;

  std::size_t context_size = 0;    // tokens that prompt and ranking may take
  bool slides = false;             // the model has a sliding window
  bool reuses_beginnings = false;  // of prompts
  Places places;                   // for scorers
  bool takes_one = false;          // scorer at a time, since the model's cache allows no more
  std::vector<Scorer*> scorers;    // those that own a part of the cache, in the order of opening
  SequencePool sequences{0};       // that the cache tells apart; they share its cells
  std::optional<Resident> resident;
  PromptCache prompts{0};
  PromptReuse reuse;
  std::unique_ptr<BlockEncoder> blocks;  // nullptr: info.why_no_blocks

  State();
  ~State();
  Result<void> set_up(const LlamaOptions& options);
  Result<void> load_loras(const std::vector<LoraFile>& files);
  Result<void> make_context(std::size_t n_cells);
  // For the model with its adapters.
  Result<LlamaContext> new_context(llama_context_params of);
  void set_up_blocks(std::size_t cache_bytes);
  Result<void> find_layout();
  std::string find_why_no_blocks() const;
  Result<void> warm_up();
  std::optional<std::string> cut_head(std::span<const float> logits);
  void describe(const std::string& path);

  // Makes the context large enough for what scorers claim, the resident prompt and n_more cells. It
  // begins small, so that short prompts don't pay for the longest that are allowed; what is in the
  // cache comes along. kRuntime, and nothing has changed, where the memory is lacking.
  Result<void> grow_context(std::size_t n_more);
  std::size_t claimed_cells() const;
  // Cells of the cache that no scorer has a claim to; the resident prompt's count as free.
  std::size_t free_cells() const;
  // That a prompt may take which needs `n_needed`, the ranking's included: long ones leave the
  // room that is kept for short ones.
  std::size_t room_for(std::size_t n_needed) const;
  std::size_t max_cells() const { return context_size + places.for_short * kShortRequest; }
  bool takes_several() const { return places.total() > 1; }
  // Frees what of the resident prompt is of no use to this one, if it can't be of use to others or
  // there is no room for it beside so many cells.
  void make_room_for(const Prompt& prompt, std::size_t n_cells);
  void release_resident();
  void release(std::size_t sequence);

  // Runs the passes through the LLM together, in batches of kMaxOutputs rows at most. `on_output`
  // is called for every token >= first_output of each pass while its output can be read.
  Result<void> decode(std::span<const Pass> passes, std::optional<Clock::time_point> until,
                      const OnOutput& on_output);
  // One llama_decode, which ends at give_up_at.
  Result<void> run_batch(llama_context* in, const llama_batch& batch);
  Result<std::span<const float>> output(std::size_t number, int32_t at_in_batch) const;
};

// Rows of logits that one batch may give: bounds the memory for [rows, vocabulary].
inline constexpr std::size_t kMaxOutputs = 128;
// Decodings of one request that can go on side by side in one batch.
inline constexpr std::size_t kMaxLanes = 32;

}  // namespace rsd
