// What the LLM keeps of prompts that it has encoded, for when they come again.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "rsd/core/index.h"

namespace rsd {

// Copies of sequence 0 behind a prompt, within a number of bytes; the least recently used one goes
// first. A copy that comes back is bit-equal to what was encoded.
class PromptCache {
 public:
  // 0: keeps nothing.
  explicit PromptCache(std::size_t capacity_bytes) : capacity_(capacity_bytes) {}

  // Puts the prompt's cells into the empty sequence 0, and returns the LLM's output behind it;
  // null, and nothing has changed, when it isn't there.
  const std::vector<float>* restore(const std::vector<TokenId>& prompt, llama_context* context);
  // Sequence 0 holds just the prompt, and `output` came out behind it: copied where there is room.
  void keep(const std::vector<TokenId>& prompt, llama_context* context,
            std::span<const float> output);

  std::size_t used_bytes() const noexcept { return used_; }

 private:
  struct Entry {
    std::vector<std::uint8_t> state;
    std::vector<float> output;
    std::uint64_t last_used = 0;
    std::size_t size_bytes() const { return state.size() + output.size() * sizeof(float); }
  };
  using Entries = std::map<std::vector<TokenId>, Entry>;

  void make_room(std::size_t n_bytes);

  std::size_t capacity_;
  std::size_t used_ = 0;
  std::uint64_t clock_ = 0;
  Entries entries_;
};

}  // namespace rsd
