// Writes an index of candidates (candidate_index.h) with the LLM whose prompts it is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"
#include "rsd/llm/candidate_index.h"

namespace rsd {

class LlamaEngine;

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
  // Cost: the encodings of the head and of two short blocks, and digests of the model's file and
  // its adapters'.
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
  // CandidateIndex::Info. kRuntime.
  Result<void> commit(std::uint64_t corpus_digest);

 private:
  struct State;
  explicit CandidateIndexWriter(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// By which blocks are found and shared.
std::uint64_t token_digest(std::span<const TokenId> tokens) noexcept;
// What a corpus adds to CandidateIndex::Info::corpus_digest, candidate by candidate, from 0 on.
std::uint64_t corpus_digest(std::uint64_t before, std::string_view id,
                            std::string_view text) noexcept;

}  // namespace rsd
