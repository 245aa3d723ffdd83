// What the LLM has made of blocks of prompts, kept for the next prompt that has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rsd/core/index.h"

namespace rsd {

// All that the cells of a block depend on, beside the model and its adapters, which are those of
// the engine: what stands before it and its own tokens. The scope keeps blocks of different owners
// apart, so that nobody can find out by the time that a request takes what others have asked.
struct BlockKey {
  std::string scope;
  std::vector<TokenId> head;    // before the block; empty where it is itself the head
  std::vector<TokenId> tokens;  // of the block, at least 1

  bool operator==(const BlockKey&) const = default;
};

class EncodedBlock;
using BlockPtr = std::shared_ptr<const EncodedBlock>;

// The cells of the LLM's cache, as llama_state_seq_get_data gives them. Immutable.
class EncodedBlock {
 public:
  static BlockPtr of(std::vector<std::uint8_t> state, std::size_t n_tokens) {
    auto block = std::make_shared<EncodedBlock>();
    block->own_ = std::move(state);
    block->state_ = block->own_;
    block->n_tokens_ = n_tokens;
    return block;
  }
  // In memory that outlives it, such as a mapped file.
  static BlockPtr in(std::span<const std::uint8_t> state, std::size_t n_tokens) {
    auto block = std::make_shared<EncodedBlock>();
    block->state_ = state;
    block->n_tokens_ = n_tokens;
    return block;
  }

  EncodedBlock() = default;
  EncodedBlock(const EncodedBlock&) = delete;
  EncodedBlock& operator=(const EncodedBlock&) = delete;

  std::span<const std::uint8_t> state() const noexcept { return state_; }
  std::size_t n_tokens() const noexcept { return n_tokens_; }

 private:
  std::vector<std::uint8_t> own_;
  std::span<const std::uint8_t> state_;
  std::size_t n_tokens_ = 0;
};

// Within a number of bytes, the least recently used block goes first. Who holds a block keeps it,
// whatever becomes of the entry.
class BlockCache {
 public:
  // 0: keeps nothing.
  explicit BlockCache(std::size_t capacity_bytes) : capacity_(capacity_bytes) {}

  // nullptr: it is not there. Counts as a use.
  BlockPtr find(const BlockKey& key);
  // Changes nothing.
  bool contains(const BlockKey& key) const { return entries_.contains(key); }
  // The key is not there. A block that is larger than the capacity is not kept.
  void keep(const BlockKey& key, BlockPtr block);

  std::size_t n_blocks() const noexcept { return entries_.size(); }
  std::size_t used_bytes() const noexcept { return used_; }
  std::size_t n_evicted() const noexcept { return n_evicted_; }  // so far, to make room

  struct Hash {
    std::size_t operator()(const BlockKey& key) const noexcept;
  };

 private:
  // Most recently used first. The map's keys stay where they are.
  using Uses = std::list<const BlockKey*>;
  struct Entry {
    BlockPtr block;
    Uses::iterator use;
  };

  static std::size_t size_of(const BlockKey& key, const EncodedBlock& block);
  void drop_oldest();

  std::size_t capacity_;
  std::size_t used_ = 0;
  std::size_t n_evicted_ = 0;
  std::unordered_map<BlockKey, Entry, Hash> entries_;
  Uses uses_;
};

}  // namespace rsd
