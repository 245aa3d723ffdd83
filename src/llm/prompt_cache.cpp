#include "llm/prompt_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "llm/sequence_pool.h"

namespace rsd {

std::size_t common_beginning(std::span<const TokenId> a, std::span<const TokenId> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

PromptCache::Entries::const_iterator PromptCache::nearest(const Prompt& prompt) const {
  const auto is_of_scope = [&](Entries::const_iterator entry) {
    return entry->first.cache_scope == prompt.cache_scope;
  };
  const auto n_common = [&](Entries::const_iterator entry) {
    return common_beginning(entry->first.tokens, prompt.tokens);
  };
  const auto next = entries_.lower_bound(prompt);
  const bool has_next = next != entries_.end() && is_of_scope(next);
  const bool has_last = next != entries_.begin() && is_of_scope(std::prev(next));
  if (!has_last) return has_next ? next : entries_.end();
  const auto last = std::prev(next);
  return !has_next || n_common(last) > n_common(next) ? last : next;
}

PromptCache::Match PromptCache::find(const Prompt& prompt) const {
  const auto found = nearest(prompt);
  if (found == entries_.end()) return {};
  const std::vector<TokenId>& kept = found->first.tokens;
  return {.n_tokens = common_beginning(kept, prompt.tokens),
          .is_whole = kept == prompt.tokens,
          .size = kept.size()};
}

const std::vector<float>* PromptCache::restore(const Prompt& prompt, llama_context* context,
                                               std::size_t sequence) {
  const auto near = nearest(prompt);
  if (near == entries_.end()) return nullptr;
  const auto found = entries_.find(near->first);  // to change it
  Entry& entry = found->second;
  const llama_seq_id id = id_of(sequence);
  if (llama_state_seq_set_data(context, entry.state.data(), entry.state.size(), id) == 0) {
    llama_memory_seq_rm(llama_get_memory(context), id, -1, -1);
    used_ -= entry.size_bytes();
    entries_.erase(found);
    return nullptr;
  }
  entry.last_used = ++clock_;
  return &entry.output;
}

void PromptCache::keep(const Prompt& prompt, llama_context* context, std::size_t sequence,
                       std::span<const float> output) {
  if (capacity_ == 0 || entries_.contains(prompt)) return;
  const llama_seq_id id = id_of(sequence);
  const std::size_t n_state = llama_state_seq_get_size(context, id);
  const std::size_t n_bytes = n_state + output.size_bytes();
  if (n_state == 0 || n_bytes > capacity_) return;
  make_room(n_bytes);
  Entry entry{.state = {}, .output = {output.begin(), output.end()}, .last_used = ++clock_};
  entry.state.resize(n_state);
  if (llama_state_seq_get_data(context, entry.state.data(), n_state, id) != n_state) return;
  used_ += n_bytes;
  entries_.emplace(Key{.cache_scope = prompt.cache_scope, .tokens = prompt.tokens},
                   std::move(entry));
}

void PromptCache::make_room(std::size_t n_bytes) {
  while (used_ + n_bytes > capacity_) {
    const auto oldest = std::ranges::min_element(
        entries_, {}, [](const auto& entry) { return entry.second.last_used; });
    used_ -= oldest->second.size_bytes();
    entries_.erase(oldest);
  }
}

}  // namespace rsd
