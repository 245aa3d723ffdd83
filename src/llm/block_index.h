// An index of blocks on disk, mapped into memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "llm/block_cache.h"
#include "llm/block_index_format.h"
#include "llm/mapped_file.h"
#include "rsd/core/result.h"
#include "rsd/llm/candidate_index.h"

namespace rsd {

// Immutable; safe to share between threads. What it gives refers to it.
class BlockIndex {
 public:
  // Errors: see CandidateIndex::open.
  static Result<std::unique_ptr<const BlockIndex>> open(const std::string& folder);

  const BlockIndexKey& key() const noexcept { return key_; }
  const CandidateIndex::Info& info() const noexcept { return info_; }

  // For all that follow, kRuntime: the file was changed after it was opened.
  Result<std::optional<std::string>> text_of(std::string_view id) const;
  // The block of these tokens behind the key's head; nullptr: it is not there. kInvalidInput: it is
  // damaged. The cells are checked when they are first asked for, and as F16 not copied.
  Result<BlockPtr> find(std::span<const TokenId> tokens) const;
  bool contains(std::span<const TokenId> tokens) const;
  // The cells of the head's own block as they are stored, by which a writer's LLM and a reader's
  // are compared. kInvalidInput: they are damaged.
  Result<Bytes> head_state() const;

 private:
  BlockIndex(MappedFile file, ParsedHeader header, ParsedTrailer trailer);

  Result<void> check_file() const;
  struct Found {
    std::size_t place = 0;  // in blocks_
    BlockRecord record;
  };
  // The record of these tokens; nullopt: there is none.
  Result<std::optional<Found>> record_of(std::span<const TokenId> tokens) const;
  Result<BlockPtr> block_of(const BlockRecord& record) const;

  MappedFile file_;
  BlockIndexKey key_;
  std::uint64_t first_record_;  // offset of the head's
  std::span<const BlockIndexEntry> ids_;
  std::span<const BlockIndexEntry> blocks_;
  CandidateIndex::Info info_;
  std::unique_ptr<std::atomic<bool>[]> are_checked_;  // the cells, by place in blocks_
};

}  // namespace rsd
