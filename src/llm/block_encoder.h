// Encodes the blocks of prompts that the answer does not see by itself: heads, candidates' texts
// and queries, which are kept, and what the identifiers read of them.
//
// It has a context of its own, in which nothing stays from one pass to the next: its cells are few,
// so that attention walks over few, and every pass begins in the same cells. A block has the same
// bits whatever is encoded beside it or was kept before (block_scorer_test.cpp):
// - blocks of up to kSharedPassTokens go in passes of fewer tokens than llama.cpp's flash attention
//   takes at a time (64), where every token's row is computed by itself, in the order of the cells
//   that it sees; longer blocks have a pass each;
// - every pass is filled up to a multiple of kPassMultiple tokens, since matrix kernels take
//   rows in fours or eights and treat a rest differently.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "llm/block_cache.h"
#include "llm/block_index.h"
#include "llm/llama_model.h"
#include "llm/output_head.h"
#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

// An identifier's block, and the candidate that it comes after.
struct IdentifierBlock {
  BlockPtr candidate;
  std::span<const TokenId> tokens;
  std::size_t position = 0;  // of the first of them

  std::size_t n_tokens() const { return tokens.size(); }
};

// Identifiers of one prompt that go through the LLM in the same pass.
struct IdentifierGroup {
  BlockPtr head;
  BlockPtr query;
  std::vector<IdentifierBlock> identifiers;  // at most BlockEncoder::kMaxBlocks

  std::size_t n_tokens() const;  // of the identifiers
  std::size_t n_cells() const;   // of what they see, without the head
};

class BlockEncoder {
 public:
  // A context with so many cells and kSequences sequences, whose passes end at the engine's
  // deadline.
  using MakeContext = std::function<Result<ContextPtr>(std::size_t n_cells)>;
  // Runs a batch; gives the last hidden states of the tokens with output, [n, n_embd].
  // kDeadlineExceeded, kRuntime.
  using Decode = std::function<Result<std::span<const float>>(llama_context*, const llama_batch&)>;

  static constexpr std::size_t kSharedPassTokens = 56;
  static constexpr std::size_t kPassMultiple = 8;
  static constexpr std::size_t kSequences = 32;
  static constexpr std::size_t kMaxBlocks = kSequences - 4;  // that a pass has, beside a query
  // What the identifiers of one pass see may take so many cells together: bounds memory, and what
  // attention walks over. A single candidate may take more.
  static constexpr std::size_t kMaxGroupCells = 2048;

  BlockEncoder(MakeContext make_context, Decode decode, std::size_t capacity_bytes)
      : make_context_(std::move(make_context)),
        decode_(std::move(decode)),
        cache_(capacity_bytes) {}

  const BlockCache& cache() const noexcept { return cache_; }

  // From now on identifiers are read: `yes_no` are the output head's rows of " yes" and " no".
  void read_relevance(IdentifierHead yes_no) { yes_no_ = std::move(yes_no); }

  // Blocks that are in the index are taken from there, whatever the scope.
  void set_index(std::shared_ptr<const CandidateIndex> index) { index_ = std::move(index); }

  enum class Origin { kEncoded, kKept, kIndexed };
  struct Encoded {
    std::vector<BlockPtr> blocks;  // by key
    std::vector<Origin> origins;   // by key; equal keys have one. A head's says nothing
    // By key, the tokens that went through the LLM for it: of equal keys for the first of them, of
    // a head for the first key that has it.
    std::vector<std::size_t> n_encoded;
  };
  // Need not go through the LLM.
  bool knows(const BlockKey& key) const;
  // The blocks of the keys, of which those that are not known go through the LLM, several in a
  // pass. What was encoded before an error is kept. kRuntime: the index is damaged.
  Result<Encoded> encode(std::span<const BlockKey> keys);

  struct EncodedIdentifiers {
    std::vector<std::uint8_t> state;  // their cells
    // By identifier, the logit of " yes" less that of " no" in its place; empty: they aren't read,
    // or the template has nothing, or more than kMaxOutputs tokens, between a text and its
    // identifier.
    std::vector<float> relevance;
  };
  // By group. Groups share passes where they fit.
  Result<std::vector<EncodedIdentifiers>> encode_identifiers(
      std::span<const IdentifierGroup> groups);

 private:
  struct Pass;
  struct Missing;
  using IdentifierPass = std::vector<const IdentifierGroup*>;

  Result<void> reserve(std::size_t n_cells);
  bool has_index_of(const BlockKey& key) const;
  Result<BlockPtr> known(const BlockKey& key, Origin& origin);
  Result<BlockPtr> head_block(const std::vector<TokenId>& tokens, std::size_t& n_encoded);
  Result<void> encode_group(std::span<Missing* const> group);
  Result<std::vector<EncodedIdentifiers>> encode_identifier_pass(const IdentifierPass& groups);
  std::vector<float> relevance_of(const IdentifierGroup& group, std::size_t first_token,
                                  std::span<const float> states) const;
  Result<void> restore(const EncodedBlock& block, llama_seq_id sequence);
  Result<std::span<const float>> run(Pass& pass, bool with_states = false);
  Result<std::vector<std::uint8_t>> state_of(llama_seq_id sequence) const;

  MakeContext make_context_;
  Decode decode_;
  BlockCache cache_;
  // The last head that was encoded, which stays whatever the cache holds: all blocks need it.
  std::vector<TokenId> head_tokens_;
  BlockPtr head_;
  std::shared_ptr<const CandidateIndex> index_;  // may be null
  std::optional<IdentifierHead> yes_no_;
  ContextPtr context_;
  std::size_t n_cells_ = 0;
};

}  // namespace rsd
