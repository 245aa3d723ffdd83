// What the LLM keeps of prompts that it has encoded, for those that begin alike.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "rsd/core/index.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

// How many tokens two sequences have in common at their beginning.
std::size_t common_beginning(std::span<const TokenId> a, std::span<const TokenId> b);

// Copies of the cache's cells after a prompt, within a number of bytes; the least recently used
// one goes first. What comes back is bit-equal to what was encoded. A prompt finds those of its own
// cache scope only; the number of bytes is that of all.
class PromptCache {
 public:
  // 0: keeps nothing.
  explicit PromptCache(std::size_t capacity_bytes) : capacity_(capacity_bytes) {}

  bool keeps_any() const noexcept { return capacity_ > 0; }

  // The prompt of the same scope that begins like `prompt` for the longest.
  struct Match {
    std::size_t n_tokens = 0;  // in common
    bool is_whole = false;     // it is the same prompt: its output is kept, too
    std::size_t size = 0;      // tokens of the kept one
  };
  Match find(const Prompt& prompt) const;

  // Puts all cells of the prompt that find() means into the sequence, which is empty, and returns
  // the LLM's output after it. Null, and the sequence is empty, when there is none.
  const std::vector<float>* restore(const Prompt& prompt, llama_context* context,
                                    std::size_t sequence);
  // The sequence holds just the prompt, and `output` came out after it: copied where there is
  // room.
  void keep(const Prompt& prompt, llama_context* context, std::size_t sequence,
            std::span<const float> output);

  std::size_t n_prompts() const noexcept { return entries_.size(); }
  std::size_t used_bytes() const noexcept { return used_; }

 private:
  struct Entry {
    std::vector<std::uint8_t> state;
    std::vector<float> output;
    std::uint64_t last_used = 0;
    std::size_t size_bytes() const { return state.size() + output.size() * sizeof(float); }
  };
  struct Key {
    std::string cache_scope;
    std::vector<TokenId> tokens;
  };
  // By scope, then in lexicographic order: the longest common beginning is that of a neighbour.
  struct InOrder {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      if (a.cache_scope != b.cache_scope) return a.cache_scope < b.cache_scope;
      return a.tokens < b.tokens;
    }
  };
  using Entries = std::map<Key, Entry, InOrder>;

  // The end where there is none of the prompt's scope.
  Entries::const_iterator nearest(const Prompt& prompt) const;
  void make_room(std::size_t n_bytes);

  std::size_t capacity_;
  std::size_t used_ = 0;
  std::uint64_t clock_ = 0;
  Entries entries_;
};

}  // namespace rsd
