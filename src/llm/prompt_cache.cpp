#include "llm/prompt_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rsd {

std::size_t common_beginning(std::span<const TokenId> a, std::span<const TokenId> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

PromptCache::Entries::const_iterator PromptCache::nearest(
    const std::vector<TokenId>& prompt) const {
  const auto behind = entries_.lower_bound(prompt);
  if (behind == entries_.begin()) return behind;
  const auto before = std::prev(behind);
  if (behind == entries_.end()) return before;
  return common_beginning(before->first, prompt) > common_beginning(behind->first, prompt) ? before
                                                                                           : behind;
}

PromptCache::Match PromptCache::find(const std::vector<TokenId>& prompt) const {
  const auto found = nearest(prompt);
  if (found == entries_.end()) return {};
  const std::size_t n_common = common_beginning(found->first, prompt);
  return {.n_tokens = n_common, .is_whole = found->first == prompt, .size = found->first.size()};
}

const std::vector<float>* PromptCache::restore(const std::vector<TokenId>& prompt,
                                               llama_context* context, std::size_t sequence) {
  const auto near = nearest(prompt);
  if (near == entries_.end()) return nullptr;
  const auto found = entries_.find(near->first);  // to change it
  Entry& entry = found->second;
  const auto id = static_cast<llama_seq_id>(sequence);
  if (llama_state_seq_set_data(context, entry.state.data(), entry.state.size(), id) == 0) {
    llama_memory_seq_rm(llama_get_memory(context), id, -1, -1);
    used_ -= entry.size_bytes();
    entries_.erase(found);
    return nullptr;
  }
  entry.last_used = ++clock_;
  return &entry.output;
}

void PromptCache::keep(const std::vector<TokenId>& prompt, llama_context* context,
                       std::size_t sequence, std::span<const float> output) {
  if (capacity_ == 0 || entries_.contains(prompt)) return;
  const auto id = static_cast<llama_seq_id>(sequence);
  const std::size_t n_state = llama_state_seq_get_size(context, id);
  const std::size_t n_bytes = n_state + output.size_bytes();
  if (n_state == 0 || n_bytes > capacity_) return;
  make_room(n_bytes);
  Entry entry{.state = {}, .output = {output.begin(), output.end()}, .last_used = ++clock_};
  entry.state.resize(n_state);
  if (llama_state_seq_get_data(context, entry.state.data(), n_state, id) != n_state) return;
  used_ += n_bytes;
  entries_.emplace(prompt, std::move(entry));
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
