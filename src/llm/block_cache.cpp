#include "llm/block_cache.h"

#include <span>
#include <utility>

#include "rsd/core/check.h"

namespace rsd {
namespace {

std::size_t mix(std::size_t hash, std::size_t value) {
  return (hash ^ value) * 0x100000001b3U;
}

std::size_t mix(std::size_t hash, std::span<const TokenId> tokens) {
  hash = mix(hash, tokens.size());
  for (const TokenId token : tokens)
    hash = mix(hash, static_cast<std::size_t>(token.value()));
  return hash;
}

}  // namespace

// Blocks with one hash are told apart by ==: the hash is for speed alone.
std::size_t BlockCache::Hash::operator()(const BlockKey& key) const noexcept {
  return mix(mix(std::hash<std::string>()(key.scope), key.head), key.tokens);
}

std::size_t BlockCache::size_of(const BlockKey& key, const EncodedBlock& block) {
  constexpr std::size_t kOfTheEntry = 256;  // nodes of map and list
  return block.state().size() + key.scope.size() +
         (key.head.size() + key.tokens.size()) * sizeof(TokenId) + kOfTheEntry;
}

BlockPtr BlockCache::find(const BlockKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  uses_.splice(uses_.begin(), uses_, found->second.use);
  return found->second.block;
}

void BlockCache::keep(const BlockKey& key, BlockPtr block) {
  const std::size_t n_bytes = size_of(key, *block);
  if (n_bytes > capacity_) return;
  while (used_ + n_bytes > capacity_)
    drop_oldest();
  const auto [entry, is_new] = entries_.try_emplace(key);
  RSD_CHECK(is_new, "a block that is kept already");
  uses_.push_front(&entry->first);
  entry->second = {.block = std::move(block), .use = uses_.begin()};
  used_ += n_bytes;
}

void BlockCache::drop_oldest() {
  const auto oldest = entries_.find(*uses_.back());
  used_ -= size_of(oldest->first, *oldest->second.block);
  uses_.pop_back();
  entries_.erase(oldest);
  ++n_evicted_;
}

}  // namespace rsd
