#include "llm/block_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>

#include "llm/llama_context.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

// Sequences of the encoder's context.
constexpr llama_seq_id kHead = 0;
constexpr llama_seq_id kFirstBlock = 1;
constexpr llama_seq_id kCollected = static_cast<llama_seq_id>(BlockEncoder::kSequences) - 2;
constexpr llama_seq_id kFilling = kCollected + 1;
constexpr auto kPassSequences = static_cast<std::size_t>(kCollected - kFirstBlock);
static_assert(BlockEncoder::kMaxBlocks + 1 == kPassSequences, "a group and its query fit a pass");

constexpr std::size_t kFirstCells = 512;

std::size_t filled_up(std::size_t n_tokens) {
  constexpr std::size_t kMultiple = BlockEncoder::kPassMultiple;
  return (n_tokens + kMultiple - 1) / kMultiple * kMultiple;
}

}  // namespace

std::size_t IdentifierGroup::n_tokens() const {
  std::size_t n_tokens = 0;
  for (const IdentifierBlock& identifier : identifiers)
    n_tokens += identifier.n_tokens();
  return n_tokens;
}

std::size_t IdentifierGroup::n_cells() const {
  std::size_t n_cells = query->n_tokens();
  for (const IdentifierBlock& identifier : identifiers)
    n_cells += identifier.candidate->n_tokens();
  return n_cells;
}

// A batch without output, which is filled up before it is run.
struct BlockEncoder::Pass {
  std::vector<llama_token> tokens;
  std::vector<llama_pos> positions;
  std::vector<llama_seq_id> sequences;

  void add(std::span<const TokenId> block, std::size_t position, llama_seq_id sequence) {
    for (const TokenId token : block) {
      tokens.push_back(token.value());
      positions.push_back(static_cast<llama_pos>(position++));
      sequences.push_back(sequence);
    }
  }
  // Tokens that nobody sees.
  void fill_up() {
    const std::vector<TokenId> filling(filled_up(tokens.size()) - tokens.size());
    add(filling, 0, kFilling);
  }
};

struct BlockEncoder::Missing {
  BlockKey key;
  BlockPtr head;  // nullptr: it is a head itself
  BlockPtr made;

  std::size_t n_tokens() const { return key.tokens.size(); }
};

Result<void> BlockEncoder::reserve(std::size_t n_cells) {
  if (n_cells > n_cells_) {
    const std::size_t wanted = std::bit_ceil(std::max(n_cells, kFirstCells));
    context_.reset();  // first, since the memory may not do for both
    n_cells_ = 0;
    auto made = make_context_(wanted);
    if (!made) return made.error();
    context_ = *std::move(made);
    n_cells_ = wanted;
  }
  llama_memory_clear(llama_get_memory(context_.get()), /*data=*/false);
  return {};
}

// Where states are wanted, those of all tokens are computed: matrix kernels treat another number
// of rows differently.
Result<std::span<const float>> BlockEncoder::run(Pass& pass, bool with_states) {
  pass.fill_up();
  const std::size_t n_tokens = pass.tokens.size();
  std::vector<int32_t> n_sequences(n_tokens, 1);
  std::vector<llama_seq_id*> sequences;
  sequences.reserve(n_tokens);
  for (llama_seq_id& sequence : pass.sequences)
    sequences.push_back(&sequence);
  std::vector<std::int8_t> outputs(n_tokens, with_states ? 1 : 0);
  const llama_batch batch{.n_tokens = static_cast<int32_t>(n_tokens),
                          .token = pass.tokens.data(),
                          .embd = nullptr,
                          .pos = pass.positions.data(),
                          .n_seq_id = n_sequences.data(),
                          .seq_id = sequences.data(),
                          .logits = outputs.data()};
  return decode_(context_.get(), batch);
}

Result<void> BlockEncoder::restore(const EncodedBlock& block, llama_seq_id sequence) {
  const auto state = block.state();
  if (llama_state_seq_set_data(context_.get(), state.data(), state.size(), sequence) > 0) return {};
  return Error(ErrorCode::kRuntime, "a block of " + std::to_string(block.n_tokens()) +
                                        " tokens can't be put back into the LLM's cache");
}

Result<std::vector<std::uint8_t>> BlockEncoder::state_of(llama_seq_id sequence) const {
  std::vector<std::uint8_t> state(llama_state_seq_get_size(context_.get(), sequence));
  const std::size_t n_bytes =
      llama_state_seq_get_data(context_.get(), state.data(), state.size(), sequence);
  if (n_bytes == 0) return Error(ErrorCode::kRuntime, "the LLM's cache gave no copy of a block");
  state.resize(n_bytes);
  return state;
}

// Blocks with the same head, in one pass.
Result<void> BlockEncoder::encode_group(std::span<Missing* const> group) {
  const BlockPtr& head = group.front()->head;
  const std::size_t n_head = head ? head->n_tokens() : 0;
  Pass pass;
  llama_seq_id next = kFirstBlock;
  for (const Missing* block : group)
    pass.add(block->key.tokens, n_head, next++);
  if (auto there = reserve(n_head + filled_up(pass.tokens.size())); !there) return there;
  llama_memory_t memory = llama_get_memory(context_.get());
  if (head) {
    if (auto restored = restore(*head, kHead); !restored) return restored;
    for (llama_seq_id sequence = kFirstBlock; sequence < next; ++sequence)
      llama_memory_seq_cp(memory, kHead, sequence, -1, -1);
  }
  if (auto done = run(pass); !done) return done.error();
  llama_seq_id sequence = kFirstBlock;
  for (Missing* block : group) {
    // A copy names its sequence: out of one and the same it has the same bytes, whatever its place
    // in the pass was.
    llama_memory_seq_cp(memory, sequence++, kCollected, static_cast<llama_pos>(n_head), -1);
    auto state = state_of(kCollected);
    if (!state) return state.error();
    llama_memory_seq_rm(memory, kCollected, -1, -1);
    block->made = EncodedBlock::of(*std::move(state), block->n_tokens());
    cache_.keep(block->key, block->made);
  }
  return {};
}

namespace {

// Which blocks share a pass: those of one head, as many as there is room for, the longest first.
template <class Block>
std::vector<std::vector<Block*>> groups_of(std::vector<Block>& blocks) {
  std::vector<Block*> order;
  order.reserve(blocks.size());
  for (Block& block : blocks)
    order.push_back(&block);
  std::ranges::stable_sort(order, std::greater(), &Block::n_tokens);
  struct Open {
    std::vector<Block*> blocks;
    std::size_t n_tokens = 0;
  };
  std::vector<Open> open;
  for (Block* block : order) {
    const auto fits = [&](const Open& group) {
      return group.blocks.size() < BlockEncoder::kMaxBlocks &&
             group.n_tokens + block->n_tokens() <= BlockEncoder::kSharedPassTokens &&
             group.blocks.front()->head == block->head;
    };
    auto group = std::ranges::find_if(open, fits);
    if (group == open.end()) group = open.insert(open.end(), Open{});
    group->blocks.push_back(block);
    group->n_tokens += block->n_tokens();
  }
  std::vector<std::vector<Block*>> groups;
  groups.reserve(open.size());
  for (Open& group : open)
    groups.push_back(std::move(group.blocks));
  return groups;
}

}  // namespace

bool BlockEncoder::has_index_of(const BlockKey& key) const {
  return index_ && !key.head.empty() && key.head == index_->head();
}

bool BlockEncoder::knows(const BlockKey& key) const {
  if (key.head.empty() && head_ && key.tokens == head_tokens_) return true;
  return cache_.contains(key) || (has_index_of(key) && index_->blocks().contains(key.tokens));
}

// Null: it has to be encoded.
Result<BlockPtr> BlockEncoder::known(const BlockKey& key, Origin& origin) {
  origin = Origin::kKept;
  if (BlockPtr kept = cache_.find(key)) return kept;
  origin = Origin::kEncoded;
  if (!has_index_of(key)) return BlockPtr();
  auto indexed = index_->blocks().find(key.tokens);
  // Whoever asked for a ranking has no part in it.
  if (!indexed) return Error(ErrorCode::kRuntime, indexed.error().message());
  if (!*indexed) return indexed;
  origin = Origin::kIndexed;
  // Those that lie in the file as they are used take no memory of ours.
  if (index_->info().type != BlockType::kF16) cache_.keep(key, *indexed);
  return indexed;
}

// A head, kept or encoded in a pass of its own.
Result<BlockPtr> BlockEncoder::head_block(const std::vector<TokenId>& tokens,
                                          std::size_t& n_encoded) {
  if (head_ && tokens == head_tokens_) return head_;
  Missing head{
      .key = {.scope = {}, .head = {}, .tokens = tokens}, .head = nullptr, .made = nullptr};
  head.made = cache_.find(head.key);
  if (!head.made) {
    n_encoded += tokens.size();
    Missing* const alone = &head;
    if (auto done = encode_group({&alone, 1}); !done) return done.error();
  }
  head_tokens_ = tokens;
  head_ = head.made;
  return head_;
}

Result<BlockEncoder::Encoded> BlockEncoder::encode(std::span<const BlockKey> keys) {
  Encoded encoded{.blocks = std::vector<BlockPtr>(keys.size()),
                  .origins = std::vector<Origin>(keys.size()),
                  .n_encoded = std::vector<std::size_t>(keys.size())};
  std::map<std::vector<TokenId>, BlockPtr> heads;
  for (std::size_t k = 0; k < keys.size(); ++k) {
    const auto [head, is_new] = heads.try_emplace(keys[k].head.empty() ? keys[k].tokens  //
                                                                       : keys[k].head);
    if (!is_new) continue;
    auto block = head_block(head->first, encoded.n_encoded[k]);
    if (!block) return block.error();
    head->second = *std::move(block);
  }
  std::vector<Missing> missing;
  std::unordered_map<BlockKey, std::size_t, BlockCache::Hash> place_of;  // in missing
  std::vector<std::pair<std::size_t, std::size_t>> pending;              // key, place
  for (std::size_t k = 0; k < keys.size(); ++k) {
    auto block = keys[k].head.empty() ? Result<BlockPtr>(heads.at(keys[k].tokens))
                                      : known(keys[k], encoded.origins[k]);
    if (!block) return block.error();
    encoded.blocks[k] = *std::move(block);
    if (encoded.blocks[k]) continue;
    const auto [place, is_new] = place_of.try_emplace(keys[k], missing.size());
    pending.emplace_back(k, place->second);
    if (!is_new) continue;
    missing.push_back({.key = keys[k], .head = heads.at(keys[k].head), .made = nullptr});
    encoded.n_encoded[k] += keys[k].tokens.size();
  }
  for (const auto& group : groups_of(missing))
    if (auto done = encode_group(group); !done) return done.error();
  for (const auto& [key, place] : pending)
    encoded.blocks[key] = missing[place].made;
  return encoded;
}

// It is read at the token in front of the identifier, which has read the candidate and the query:
// at the identifier itself it would depend on which one the candidate has.
std::vector<float> BlockEncoder::relevance_of(const IdentifierGroup& group, std::size_t first_token,
                                              std::span<const float> states) const {
  std::vector<float> relevance;
  if (states.empty()) return relevance;
  relevance.reserve(group.identifiers.size());
  std::size_t n_tokens = first_token;
  for (const IdentifierBlock& identifier : group.identifiers) {
    if (identifier.n_tokens() < 2) return {};
    n_tokens += identifier.n_tokens();
    std::array<float, 2> logits{};
    yes_no_->logits(states.subspan((n_tokens - 2) * yes_no_->n_embd(), yes_no_->n_embd()), logits);
    relevance.push_back(logits[0] - logits[1]);
  }
  return relevance;
}

Result<std::vector<BlockEncoder::EncodedIdentifiers>> BlockEncoder::encode_identifier_pass(
    const IdentifierPass& groups) {
  const BlockPtr& head = groups.front()->head;
  Pass pass;
  std::size_t n_cells = head->n_tokens();
  llama_seq_id next = kFirstBlock;
  for (const IdentifierGroup* group : groups) {
    ++next;  // the query's
    for (const IdentifierBlock& identifier : group->identifiers)
      pass.add(identifier.tokens, identifier.position, next++);
    n_cells += group->n_cells();
  }
  if (auto there = reserve(n_cells + filled_up(pass.tokens.size())); !there) return there.error();
  if (auto restored = restore(*head, kHead); !restored) return restored.error();
  llama_memory_t memory = llama_get_memory(context_.get());
  llama_seq_id sequence = kFirstBlock;
  for (const IdentifierGroup* group : groups) {
    const llama_seq_id query = sequence++;
    if (auto restored = restore(*group->query, query); !restored) return restored.error();
    for (const IdentifierBlock& identifier : group->identifiers) {
      if (auto restored = restore(*identifier.candidate, sequence); !restored)
        return restored.error();
      llama_memory_seq_cp(memory, kHead, sequence, -1, -1);
      llama_memory_seq_cp(memory, query, sequence++, -1, -1);
    }
  }
  // llama.cpp aborts where a pass has more outputs than its context was made for.
  const bool reads = yes_no_ && filled_up(pass.tokens.size()) <= kMaxOutputs;
  const auto states = run(pass, reads);
  if (!states) return states.error();
  if (reads && states->size() < pass.tokens.size() * yes_no_->n_embd())
    return Error(ErrorCode::kRuntime, "the LLM gave no hidden state");
  std::vector<EncodedIdentifiers> encoded;
  encoded.reserve(groups.size());
  sequence = kFirstBlock;
  std::size_t n_tokens = 0;
  for (const IdentifierGroup* group : groups) {
    ++sequence;
    for (const IdentifierBlock& identifier : group->identifiers)
      llama_memory_seq_cp(memory, sequence++, kCollected,
                          static_cast<llama_pos>(identifier.position), -1);
    auto state = state_of(kCollected);
    if (!state) return state.error();
    llama_memory_seq_rm(memory, kCollected, -1, -1);
    encoded.push_back(
        {.state = *std::move(state), .relevance = relevance_of(*group, n_tokens, *states)});
    n_tokens += group->n_tokens();
  }
  return encoded;
}

Result<std::vector<BlockEncoder::EncodedIdentifiers>> BlockEncoder::encode_identifiers(
    std::span<const IdentifierGroup> groups) {
  std::vector<EncodedIdentifiers> all;
  all.reserve(groups.size());
  for (std::size_t first = 0; first < groups.size();) {
    IdentifierPass pass;
    std::size_t n_tokens = 0;
    std::size_t n_cells = 0;
    std::size_t n_sequences = 0;
    for (const IdentifierGroup& group : groups.subspan(first)) {
      n_tokens += group.n_tokens();
      n_cells += group.n_cells();
      n_sequences += 1 + group.identifiers.size();
      const bool fits = n_tokens <= kSharedPassTokens && n_cells <= kMaxGroupCells &&
                        n_sequences <= kPassSequences && group.head == groups[first].head;
      if (!pass.empty() && !fits) break;
      pass.push_back(&group);
    }
    auto encoded = encode_identifier_pass(pass);
    if (!encoded) return encoded.error();
    first += pass.size();
    std::ranges::move(*encoded, std::back_inserter(all));
  }
  return all;
}

}  // namespace rsd
