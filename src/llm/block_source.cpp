#include "llm/block_source.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>
#include <utility>

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

std::vector<const PromptBlock*> identifiers_of(const Prompt& prompt) {
  std::vector<const PromptBlock*> identifiers;
  for (const PromptBlock& block : prompt.blocks)
    if (block.kind == BlockKind::kIdentifier) identifiers.push_back(&block);
  return identifiers;
}

}  // namespace

BlockSource::BlockSource(LlamaEngine::State& state, const Prompt& prompt)
    : state_(state),
      prompt_(prompt),
      keys_(keys_of(prompt)),
      identifiers_(identifiers_of(prompt)),
      groups_(groups_of(prompt, keys_)) {}

std::vector<BlockSource::Group> BlockSource::groups_of(const Prompt& prompt,
                                                       std::span<const BlockKey> keys) {
  std::vector<Group> groups{{.first = kHeadKey, .end = kFirstCandidate}};
  std::size_t n_cells = 0;
  std::size_t key = kFirstCandidate;
  for (const PromptBlock* identifier : identifiers_of(prompt)) {
    n_cells += keys[key].tokens.size();
    Group& last = groups.back();
    const bool fits =
        last.size() < BlockEncoder::kMaxBlocks && n_cells <= BlockEncoder::kMaxGroupCells &&
        last.n_identifier_tokens + identifier->n_tokens <= BlockEncoder::kSharedPassTokens;
    if (groups.size() == 1 || !fits) {
      groups.push_back({.first = key, .end = key});
      n_cells = keys[key].tokens.size();
    }
    groups.back().n_identifier_tokens += identifier->n_tokens;
    groups.back().end = ++key;
  }
  return groups;
}

std::size_t BlockSource::n_to_encode(const Others& /*others*/) const {
  std::size_t n_tokens = prompt_.blocks.back().n_tokens;
  for (const Group& group : std::span(groups_).subspan(progress_.group))
    n_tokens += group.n_identifier_tokens;
  std::set<std::vector<TokenId>> missing;  // equal texts are encoded once
  for (const BlockKey& key : std::span(keys_).subspan(next_key())) {
    if (state_.blocks->knows(key)) continue;
    if (missing.insert(key.tokens).second) n_tokens += key.tokens.size();
  }
  return n_tokens;
}

void BlockSource::restart() {
  progress_ = {};
  share_ = {};
}

Result<void> BlockSource::go_on_together(LlamaEngine::State& state, std::span<const Piece> pieces) {
  for (const Piece& piece : pieces)
    piece.source->share_.n_left = piece.max_tokens;
  const auto start = Clock::now();
  const auto goes_on = [](const Piece& piece) {
    return !piece.source->is_complete() && piece.source->share_.n_left > 0;
  };
  while (std::ranges::any_of(pieces, goes_on)) {
    if (auto done = encode_keys(state, pieces); !done) return done;
    if (auto done = encode_identifiers(state, pieces); !done) return done;
  }
  const double ms = ms_between(start, Clock::now());
  std::size_t n_all = 0;
  for (const Piece& piece : pieces)
    n_all += piece.source->share_.n_encoded;
  for (const Piece& piece : pieces)
    piece.source->share_.ms += ms * share_of(piece.source->share_.n_encoded, n_all, pieces.size());
  return {};
}

void BlockSource::spend(std::size_t n_tokens) {
  share_.n_left -= std::min(share_.n_left, n_tokens);
  share_.n_encoded += n_tokens;
  progress_.n_encoded += n_tokens;
}

bool BlockSource::has_group() const {
  return !is_complete() && progress_.encoded.size() == groups_[progress_.group].size();
}

// The first that it has no block of; groups follow each other.
std::size_t BlockSource::next_key() const {
  return is_complete() ? keys_.size() : groups_[progress_.group].first + progress_.encoded.size();
}

// Of its group, those that it has no blocks of yet, as far as there are tokens left for them.
std::span<const BlockKey> BlockSource::next_keys() const {
  if (is_complete()) return {};
  const std::size_t first = next_key();
  std::size_t n_left = share_.n_left;
  std::size_t end = first;
  for (; end < groups_[progress_.group].end && n_left > 0; ++end)
    if (!state_.blocks->knows(keys_[end])) n_left -= std::min(n_left, keys_[end].tokens.size());
  return std::span(keys_).subspan(first, end - first);
}

Result<void> BlockSource::encode_keys(LlamaEngine::State& state, std::span<const Piece> pieces) {
  std::vector<BlockKey> keys;
  std::vector<std::size_t> n_keys;  // by piece
  n_keys.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    const auto wanted = piece.source->next_keys();
    keys.insert(keys.end(), wanted.begin(), wanted.end());
    n_keys.push_back(wanted.size());
  }
  if (keys.empty()) return {};
  auto encoded = state.blocks->encode(keys);
  if (!encoded) return encoded.error();
  std::size_t first = 0;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    pieces[p].source->take(std::span(encoded->blocks).subspan(first, n_keys[p]),
                           std::span(encoded->origins).subspan(first, n_keys[p]),
                           std::span(encoded->n_encoded).subspan(first, n_keys[p]));
    first += n_keys[p];
  }
  return {};
}

void BlockSource::take(std::span<BlockPtr> blocks, std::span<const BlockEncoder::Origin> origins,
                       std::span<const std::size_t> n_encoded) {
  std::ranges::move(blocks, std::back_inserter(progress_.encoded));
  spend(std::accumulate(n_encoded.begin(), n_encoded.end(), std::size_t{0}));
  if (progress_.group > 0) {
    count(origins);
  } else if (has_group()) {
    finish_first_group();
  }
}

void BlockSource::finish_first_group() {
  progress_.head = progress_.encoded[kHeadKey];
  progress_.query = progress_.encoded[kQueryKey];
  progress_.ready = {progress_.head, progress_.query};
  progress_.encoded.clear();
  ++progress_.group;
}

Result<void> BlockSource::encode_identifiers(LlamaEngine::State& state,
                                             std::span<const Piece> pieces) {
  std::vector<IdentifierGroup> groups;
  std::vector<BlockSource*> sources;
  for (const Piece& piece : pieces) {
    if (!piece.source->has_group() || piece.source->share_.n_left == 0) continue;
    groups.push_back(piece.source->identifier_group());
    sources.push_back(piece.source);
  }
  auto encoded = state.blocks->encode_identifiers(groups);
  if (!encoded) return encoded.error();
  for (std::size_t g = 0; g < sources.size(); ++g)
    sources[g]->finish_group(std::move((*encoded)[g]));
  return {};
}

IdentifierGroup BlockSource::identifier_group() const {
  IdentifierGroup group{.head = progress_.head, .query = progress_.query, .identifiers = {}};
  const std::size_t first = groups_[progress_.group].first - kFirstCandidate;
  for (std::size_t c = 0; c < progress_.encoded.size(); ++c) {
    const PromptBlock& block = *identifiers_[first + c];
    group.identifiers.push_back(
        {.candidate = progress_.encoded[c],
         .tokens = std::span(prompt_.tokens).subspan(block.first, block.n_tokens),
         .position = block.position});
  }
  return group;
}

void BlockSource::finish_group(BlockEncoder::EncodedIdentifiers identifiers) {
  const std::size_t n_tokens = groups_[progress_.group].n_identifier_tokens;
  progress_.ready.push_back(EncodedBlock::of(std::move(identifiers.state), n_tokens));
  const std::size_t first = groups_[progress_.group].first - kFirstCandidate;
  if (const auto& reading = state_.info.relevance; reading && !identifiers.relevance.empty()) {
    progress_.relevance.resize(prompt_.identifiers.size());
    for (std::size_t c = 0; c < identifiers.relevance.size(); ++c)
      progress_.relevance[identifiers_[first + c]->item.slot()] = static_cast<float>(
          reading->scale * static_cast<double>(identifiers.relevance[c]) + reading->bias);
  }
  spend(n_tokens);
  progress_.encoded.clear();
  ++progress_.group;
}

void BlockSource::count(std::span<const BlockEncoder::Origin> origins) {
  const auto n_of = [origins](BlockEncoder::Origin origin) {
    return static_cast<std::size_t>(std::ranges::count(origins, origin));
  };
  const std::size_t n_kept = n_of(BlockEncoder::Origin::kKept);
  const std::size_t n_indexed = n_of(BlockEncoder::Origin::kIndexed);
  progress_.candidates_reused += n_kept + n_indexed;
  state_.reuse.candidates_kept += n_kept;
  state_.reuse.candidates_indexed += n_indexed;
  state_.reuse.candidates_encoded += n_of(BlockEncoder::Origin::kEncoded);
}

Result<StagedPrompt> BlockSource::stage(std::size_t sequence, const Others& others) {
  for (const BlockPtr& block : std::exchange(progress_.ready, {}))
    if (auto added = state_.cells->append(sequence, block->state()); !added) return added.error();
  const PromptBlock& tail = prompt_.blocks.back();
  const Share share = std::exchange(share_, {});
  StagedPrompt staged{
      .first_position = tail.position, .n_encoded = share.n_encoded, .ms = share.ms};
  if (!is_complete()) {
    staged.n_to_come = n_to_encode(others);
    return staged;
  }
  staged.tokens = std::span(prompt_.tokens).subspan(tail.first, tail.n_tokens);
  staged.n_reused = prompt_.tokens.size() - tail.n_tokens - progress_.n_encoded;
  staged.candidates_reused = progress_.candidates_reused;
  staged.relevance = progress_.relevance;
  return staged;
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
