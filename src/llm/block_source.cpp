#include "llm/block_source.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>
#include <utility>

#include "llm/block_encoder.h"
#include "llm/share_of.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr std::size_t kHeadKey = 0;
constexpr std::size_t kQueryKey = 1;
constexpr std::size_t kFirstCandidate = 2;

std::vector<BlockKey> keys_of(const Prompt& prompt) {
  const auto tokens = [&](const PromptBlock& block) {
    const auto begin = prompt.tokens.begin() + static_cast<std::ptrdiff_t>(block.first);
    return std::vector<TokenId>(begin, begin + static_cast<std::ptrdiff_t>(block.n_tokens));
  };
  std::vector<BlockKey> keys(kFirstCandidate);
  keys[kHeadKey].tokens = tokens(prompt.blocks.front());
  for (const PromptBlock& block : prompt.blocks) {
    if (block.kind != BlockKind::kCandidate && block.kind != BlockKind::kQuery) continue;
    BlockKey key{
        .scope = prompt.cache_scope, .head = keys[kHeadKey].tokens, .tokens = tokens(block)};
    if (block.kind == BlockKind::kQuery) {
      keys[kQueryKey] = std::move(key);
    } else {
      keys.push_back(std::move(key));
    }
  }
  return keys;
}

}  // namespace

BlockSource::BlockSource(LlamaEngine::State& state, const Prompt& prompt)
    : state_(state), prompt_(prompt), keys_(keys_of(prompt)) {}

std::span<const TokenId> BlockSource::tokens_of(const PromptBlock& block) const {
  return std::span(prompt_.tokens).subspan(block.first, block.n_tokens);
}

std::size_t BlockSource::n_identifier_tokens() const {
  std::size_t n_tokens = 0;
  for (const PromptBlock& block : prompt_.blocks)
    if (block.kind == BlockKind::kIdentifier) n_tokens += block.n_tokens;
  return n_tokens;
}

std::size_t BlockSource::n_to_encode(const Others& /*others*/) const {
  std::size_t n_tokens = n_identifier_tokens() + prompt_.blocks.back().n_tokens;
  std::set<std::vector<TokenId>> missing;  // equal texts are encoded once
  for (const BlockKey& key : keys_) {
    if (state_.blocks->knows(key)) continue;
    if (missing.insert(key.tokens).second) n_tokens += key.tokens.size();
  }
  return n_tokens;
}

Result<void> BlockSource::encode_together(LlamaEngine::State& state,
                                          std::span<BlockSource* const> sources) {
  if (sources.empty()) return {};
  const auto start = Clock::now();
  std::vector<BlockKey> keys;
  for (const BlockSource* source : sources)
    keys.insert(keys.end(), source->keys_.begin(), source->keys_.end());
  auto encoded = state.blocks->encode(keys);
  if (!encoded) return encoded.error();
  std::size_t n_all = 0;
  auto block = encoded->blocks.begin();
  auto n_encoded = encoded->n_encoded.begin();
  for (BlockSource* source : sources) {
    const auto n_keys = static_cast<std::ptrdiff_t>(source->keys_.size());
    source->encoded_.assign(std::move_iterator(block), std::move_iterator(block + n_keys));
    source->n_encoded_ = std::accumulate(n_encoded, n_encoded + n_keys, std::size_t{0});
    source->count(std::span(encoded->origins)
                      .subspan(static_cast<std::size_t>(n_encoded - encoded->n_encoded.begin()),
                               source->keys_.size()));
    block += n_keys;
    n_encoded += n_keys;
    n_all += source->n_encoded_;
  }
  const double ms = ms_between(start, Clock::now());
  for (BlockSource* source : sources)
    source->encode_ms_ = ms * share_of(source->n_encoded_, n_all, sources.size());
  return {};
}

void BlockSource::count(std::span<const BlockEncoder::Origin> origins) {
  const auto n_of = [of = origins.subspan(kFirstCandidate)](BlockEncoder::Origin origin) {
    return static_cast<std::size_t>(std::ranges::count(of, origin));
  };
  const std::size_t n_kept = n_of(BlockEncoder::Origin::kKept);
  const std::size_t n_indexed = n_of(BlockEncoder::Origin::kIndexed);
  candidates_reused_ = n_kept + n_indexed;
  state_.reuse.candidates_kept += n_kept;
  state_.reuse.candidates_indexed += n_indexed;
  state_.reuse.candidates_encoded += n_of(BlockEncoder::Origin::kEncoded);
}

Result<StagedPrompt> BlockSource::stage(std::size_t sequence, const Others& /*others*/) {
  RSD_CHECK(encoded_.size() == keys_.size(), "blocks that are encoded");
  const std::vector<BlockPtr> blocks = std::exchange(encoded_, {});
  IdentifierRequest request{
      .head = blocks[kHeadKey], .query = blocks[kQueryKey], .identifiers = {}};
  auto candidate = blocks.begin() + kFirstCandidate;
  for (const PromptBlock& block : prompt_.blocks) {
    if (block.kind != BlockKind::kIdentifier) continue;
    request.identifiers.push_back(
        {.candidate = *candidate++, .tokens = tokens_of(block), .position = block.position});
  }
  auto identifiers = state_.blocks->encode_identifiers(request);
  if (!identifiers) return identifiers.error();
  for (const BlockPtr& seen : {request.head, request.query})
    if (auto added = state_.cells->append(sequence, seen->state()); !added) return added.error();
  for (const auto& group : *identifiers)
    if (auto added = state_.cells->append(sequence, group); !added) return added.error();
  const PromptBlock& tail = prompt_.blocks.back();
  const std::size_t n_identifiers = n_identifier_tokens();
  return StagedPrompt{
      .tokens = tokens_of(tail),
      .first_position = tail.position,
      .n_encoded = n_encoded_ + n_identifiers,
      .n_reused = prompt_.tokens.size() - tail.n_tokens - n_encoded_ - n_identifiers,
      .candidates_reused = candidates_reused_,
      .ms = encode_ms_,
      .output = nullptr};
}

// The blocks are kept where they are made; prompts as a whole don't come again often enough.
void BlockSource::keep(std::size_t /*sequence*/, std::span<const float> /*output*/) {}

bool BlockSource::wants_resident(const Others& /*others*/) const {
  return false;
}

bool BlockSource::is_of_use_to_others() const {
  return false;
}

void BlockSource::leave(std::size_t /*sequence*/) {
  RSD_CHECK(false, "a prompt in blocks leaves nothing");
}

}  // namespace rsd
