// An index of candidates on disk: their texts, and what an LLM has made of them (docs/blocks.md),
// so that a request whose candidates are in it costs its query. docs/formats/block-index.md has the
// file's format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/core/result.h"

namespace rsd {

class BlockIndex;  // src/llm

// How the cells of blocks are stored.
enum class BlockType {
  kF16,   // as the LLM's cache has them: answers are the same to the last bit
  kQ8_0,  // 8 bits a value and a scale for 32 of them: half of the size, and rounded
};

std::string_view to_string(BlockType type) noexcept;        // "f16", "q8_0"
Result<BlockType> parse_block_type(std::string_view name);  // kInvalidArgument

// Immutable; safe to share between threads and engines. The file is mapped into memory, and read
// where it is needed.
class CandidateIndex {
 public:
  struct Info {
    std::string path;  // of the file
    std::string task;  // of the prompt template: "passage" or "recommendation"
    BlockType type = BlockType::kF16;
    std::size_t n_candidates = 0;
    std::size_t n_blocks = 0;    // candidates with the same tokens share one; blank ones have none
    std::uint64_t n_tokens = 0;  // of all blocks
    std::uint64_t size_bytes = 0;
    std::uint64_t corpus_digest = 0;  // of the candidates' ids and texts, in their order
  };

  // kNotFound: no finished index is in the folder. kInvalidInput: it is damaged, truncated or of a
  // version that is not known; the message has file and offset. Reads the table of entries, 16
  // bytes a candidate and as much a block; the rest is checked when it is used.
  static Result<std::shared_ptr<const CandidateIndex>> open(const std::string& folder);

  ~CandidateIndex();
  CandidateIndex(const CandidateIndex&) = delete;
  CandidateIndex& operator=(const CandidateIndex&) = delete;

  const Info& info() const noexcept;
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

}  // namespace rsd
