// A prompt in blocks (docs/blocks.md). Head, candidates and query are encoded by themselves, or
// were before (BlockEncoder); what the identifiers read of them is encoded anew for each prompt.
// The engine's cache gets what the answer sees: head, query and identifiers, and in the engine's
// own pass the tail. No text of a candidate is ever in it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "llm/block_cache.h"
#include "llm/block_encoder.h"
#include "llm/llama_state.h"
#include "llm/prompt_source.h"

namespace rsd {

// Candidates go through it in groups whose identifiers share a pass, and of which one at a time is
// in memory beside what the encoder keeps.
class BlockSource final : public PromptSource {
 public:
  // Both outlive it.
  BlockSource(LlamaEngine::State& state, const Prompt& prompt);

  // A source that goes on by so many tokens, a few more to complete a block or a group.
  struct Piece {
    BlockSource* source = nullptr;
    std::size_t max_tokens = 0;  // at least 1
  };
  // Brings several prompts on in passes that they share; to be called before each stage(). Errors
  // as of a pass: what was encoded before stays of use.
  static Result<void> go_on_together(LlamaEngine::State& state, std::span<const Piece> pieces);

  std::size_t n_cells() const override { return prompt_.n_seen(); }
  std::size_t end_position() const override { return prompt_.end_position(); }
  std::size_t n_to_encode(const Others& others) const override;
  void restart() override;
  Result<StagedPrompt> stage(std::size_t sequence, const Others& others) override;
  void keep(std::size_t sequence, std::span<const float> output) override;
  bool wants_resident(const Others& others) const override;
  bool is_of_use_to_others() const override;
  void leave(std::size_t sequence) override;
  BlockSource* in_blocks() noexcept override { return this; }

 private:
  // Of keys_: head and query, which have no identifiers, or some candidates.
  struct Group {
    std::size_t first = 0;
    std::size_t end = 0;
    std::size_t n_identifier_tokens = 0;

    std::size_t size() const noexcept { return end - first; }
  };
  // What it has got so far.
  struct Progress {
    std::size_t group = 0;          // of groups_, that is worked on
    std::vector<BlockPtr> encoded;  // of this group
    BlockPtr head;                  // after the first group, like the query
    BlockPtr query;
    std::vector<BlockPtr> ready;   // for stage()
    std::vector<float> relevance;  // [n_items]; empty: it isn't read
    std::size_t n_encoded = 0;     // tokens that went through the LLM
    std::size_t candidates_reused = 0;
  };
  // What go_on_together() has still to give and has given, until the next stage().
  struct Share {
    std::size_t n_left = 0;
    std::size_t n_encoded = 0;
    double ms = 0;
  };

  static std::vector<Group> groups_of(const Prompt& prompt, std::span<const BlockKey> keys);
  bool is_complete() const noexcept { return progress_.group == groups_.size(); }
  bool has_group() const;
  std::size_t next_key() const;
  void spend(std::size_t n_tokens);
  std::span<const BlockKey> next_keys() const;
  void take(std::span<BlockPtr> blocks, std::span<const BlockEncoder::Origin> origins,
            std::span<const std::size_t> n_encoded);
  void finish_first_group();
  IdentifierGroup identifier_group() const;
  void finish_group(BlockEncoder::EncodedIdentifiers identifiers);
  void count(std::span<const BlockEncoder::Origin> origins);

  static Result<void> encode_keys(LlamaEngine::State& state, std::span<const Piece> pieces);
  static Result<void> encode_identifiers(LlamaEngine::State& state, std::span<const Piece> pieces);

  LlamaEngine::State& state_;
  const Prompt& prompt_;
  std::vector<BlockKey> keys_;  // the head, the query, the candidates in the prompt's order
  std::vector<const PromptBlock*> identifiers_;  // in the candidates' order
  std::vector<Group> groups_;
  Progress progress_;
  Share share_;
};

}  // namespace rsd
