#include "llm/prompt_cache.h"

#include <algorithm>
#include <utility>

namespace rsd {

const std::vector<float>* PromptCache::restore(const std::vector<TokenId>& prompt,
                                               llama_context* context) {
  const auto found = entries_.find(prompt);
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  if (llama_state_seq_set_data(context, entry.state.data(), entry.state.size(), 0) == 0) {
    llama_memory_clear(llama_get_memory(context), /*data=*/false);
    used_ -= entry.size_bytes();
    entries_.erase(found);
    return nullptr;
  }
  entry.last_used = ++clock_;
  return &entry.output;
}

void PromptCache::keep(const std::vector<TokenId>& prompt, llama_context* context,
                       std::span<const float> output) {
  if (capacity_ == 0 || entries_.contains(prompt)) return;
  const std::size_t n_state = llama_state_seq_get_size(context, 0);
  const std::size_t n_bytes = n_state + output.size_bytes();
  if (n_state == 0 || n_bytes > capacity_) return;
  make_room(n_bytes);
  Entry entry{.state = {}, .output = {output.begin(), output.end()}, .last_used = ++clock_};
  entry.state.resize(n_state);
  if (llama_state_seq_get_data(context, entry.state.data(), n_state, 0) != n_state) return;
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
