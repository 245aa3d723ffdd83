// An index of candidates on disk: their texts, and what an LLM has made of them (docs/blocks.md),
// so that a request whose candidates are in it costs its query. docs/formats/block-index.md has the
// file's format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

class BlockIndex;  // src/llm
class LlamaEngine;

// How the cells of blocks are stored.
enum class BlockType {
  kF16,   // as the LLM's cache has them: answers are the same to the last bit
  kQ8_0,  // 8 bits a value and a scale for 32 of them: half of the size, and rounded
};

std::string_view to_string(BlockType type) noexcept;        // "f16", "q8_0"
Result<BlockType> parse_block_type(std::string_view name);  // kInvalidArgument

struct CandidateIndexInfo {
  std::string path;  // of the file
  std::string task;  // of the prompt template: "passage" or "recommendation"
  BlockType type = BlockType::kF16;
  std::size_t n_candidates = 0;
  std::size_t n_blocks = 0;    // candidates with the same tokens share one; blank ones have none
  std::uint64_t n_tokens = 0;  // of all blocks
  std::uint64_t size_bytes = 0;
  std::uint64_t corpus_digest = 0;  // of the candidates' ids and texts, in their order
};

// Immutable; safe to share between threads and engines. The file is mapped into memory, and read
// where it is needed.
class CandidateIndex {
 public:
  // kNotFound: no finished index is in the folder. kInvalidInput: it is damaged, truncated or of a
  // version that is not known; the message has file and offset. Reads the table of entries, 16
  // bytes a candidate and as much a block; the rest is checked when it is used.
  static Result<std::shared_ptr<const CandidateIndex>> open(const std::string& folder);

  ~CandidateIndex();
  CandidateIndex(const CandidateIndex&) = delete;
  CandidateIndex& operator=(const CandidateIndex&) = delete;

  const CandidateIndexInfo& info() const noexcept;
  // What stands before the candidates in every prompt.
  const std::vector<TokenId>& head() const noexcept;
  // nullopt: the id is not in it. kInvalidInput: the entry is damaged; kRuntime: the file was
  // changed after it was opened.
  Result<std::optional<std::string>> text_of(std::string_view id) const;

  const BlockIndex& blocks() const noexcept { return *blocks_; }

 private:
  explicit CandidateIndex(std::unique_ptr<const BlockIndex> blocks);

  std::unique_ptr<const BlockIndex> blocks_;
};

struct NewCandidate {
  std::string id;
  std::string text;
  std::vector<TokenId> tokens;  // of its block (PromptBuilder::candidate_block); none: it is blank
};

// Writes an index with an engine's LLM. What an interrupted writer leaves, the next one with the
// same options goes on from; the file is then the same to the last byte. One thread at a time; the
// engine must outlive it and may have no scorer open.
class CandidateIndexWriter {
 public:
  struct Options {
    std::string folder;  // is made where it is missing
    std::string task;
    std::vector<TokenId> head;  // at least 1 token
    BlockType type = BlockType::kF16;
  };

  // kInvalidArgument: the folder has a finished index, or one that was begun with another model,
  // adapter, template or type. kUnsupported: the LLM takes no prompts in blocks, or its cells can't
  // be stored in this type. kRuntime: the folder can't be written, or another process is writing.
  // Cost: the head's encoding, and a digest of the model's file.
  static Result<std::unique_ptr<CandidateIndexWriter>> open(LlamaEngine& llm,
                                                            const Options& options);
  ~CandidateIndexWriter();
  CandidateIndexWriter(const CandidateIndexWriter&) = delete;
  CandidateIndexWriter& operator=(const CandidateIndexWriter&) = delete;

  // Candidates that an interrupted writer has left.
  std::size_t n_kept() const noexcept;
  std::uint64_t size_bytes() const noexcept;   // of the file so far
  std::uint64_t empty_bytes() const noexcept;  // of a finished one without candidates
  // Bytes that the candidate adds to the finished file. Without tokens: it has no block, or an
  // earlier candidate has the same.
  std::uint64_t bytes_of(const NewCandidate& candidate) const noexcept;

  // Encodes what is new of them, and appends them. The kept ones have to come first, in the order
  // that they came in before. kInvalidArgument: another candidate stands in a kept one's place;
  // kRuntime: the LLM or a write failed.
  Result<void> add(std::span<const NewCandidate> candidates);
  // The file gets its name. Nothing may be added afterwards. `corpus_digest`: see
  // CandidateIndexInfo. kRuntime.
  Result<void> commit(std::uint64_t corpus_digest);

 private:
  struct State;
  explicit CandidateIndexWriter(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// By which blocks are found and shared.
std::uint64_t token_digest(std::span<const TokenId> tokens) noexcept;
// What a corpus adds to CandidateIndexInfo::corpus_digest, candidate by candidate, from 0 on.
std::uint64_t corpus_digest(std::uint64_t before, std::string_view id,
                            std::string_view text) noexcept;

}  // namespace rsd
