// A prompt in blocks (docs/blocks.md). Head, candidates and query are encoded by themselves, or
// were before (BlockEncoder); what the identifiers read of them is encoded anew for each prompt.
// The engine's cache gets what the answer sees: head, query and identifiers, and in the engine's
// own pass the tail. No text of a candidate is ever in it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "llm/block_cache.h"
#include "llm/block_encoder.h"
#include "llm/llama_state.h"
#include "llm/prompt_source.h"

namespace rsd {

class BlockSource final : public PromptSource {
 public:
  // Both outlive it.
  BlockSource(LlamaEngine::State& state, const Prompt& prompt);

  // Encodes what is missing of several prompts in passes that they share; to be called before each
  // stage(). Errors as of a pass.
  static Result<void> encode_together(LlamaEngine::State& state,
                                      std::span<BlockSource* const> sources);

  std::size_t n_cells() const override { return prompt_.n_seen(); }
  std::size_t end_position() const override { return prompt_.end_position(); }
  std::size_t n_to_encode(const Others& others) const override;
  Result<StagedPrompt> stage(std::size_t sequence, const Others& others) override;
  void keep(std::size_t sequence, std::span<const float> output) override;
  bool wants_resident(const Others& others) const override;
  bool is_of_use_to_others() const override;
  void leave(std::size_t sequence) override;
  BlockSource* in_blocks() noexcept override { return this; }

 private:
  // Counts where its candidates came from.
  void count(std::span<const BlockEncoder::Origin> origins);
  std::span<const TokenId> tokens_of(const PromptBlock& block) const;
  std::size_t n_identifier_tokens() const;

  LlamaEngine::State& state_;
  const Prompt& prompt_;
  std::vector<BlockKey> keys_;     // the head, the query, the candidates in the prompt's order
  std::vector<BlockPtr> encoded_;  // of these, between encode_together() and stage()
  std::size_t n_encoded_ = 0;
  std::size_t candidates_reused_ = 0;
  double encode_ms_ = 0;  // of encode_together(), by its share of the tokens
};

}  // namespace rsd
