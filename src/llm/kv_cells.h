// The cells of the LLM's KV cache, by sequence.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "llm/llama_context.h"
#include "llm/sequence_pool.h"
#include "rsd/core/result.h"

namespace rsd {

// Sequences share the cells that they have in common. Not thread-safe.
class KvCells {
 public:
  // The context outlives it. For append() it has one sequence more than these.
  KvCells(LlamaContext& context, std::size_t n_sequences)
      : context_(context), sequences_(n_sequences) {}
  KvCells(const KvCells&) = delete;
  KvCells& operator=(const KvCells&) = delete;

  std::size_t n_cells() const { return context_.n_cells(); }
  std::size_t n_free_sequences() const { return sequences_.n_free(); }
  // An empty sequence; nullopt: all are taken.
  std::optional<std::size_t> take() { return sequences_.take(); }
  // Empties it.
  void release(std::size_t sequence);

  // `to`, which is empty, gets the positions below `end` of `from`.
  void share(std::size_t from, std::size_t to, std::size_t end);
  // Drops the positions from `end` on. False, and nothing has changed, where the model's cache
  // can't drop its end.
  bool truncate(std::size_t sequence, std::size_t end);
  void clear(std::size_t sequence);
  // Adds cells in the form of llama_state_seq_get_data. kRuntime: llama.cpp refuses them.
  Result<void> append(std::size_t sequence, std::span<const std::uint8_t> state);

  struct Resized {
    Result<void> done;      // kRuntime: the memory is lacking, and the cache has its old size
    bool kept_all = false;  // of what was in the cache
  };
  // What is in the cache is copied: sequences share no cells afterwards.
  Resized resize(std::size_t n_cells);

 private:
  llama_memory_t memory() const { return llama_get_memory(context_.get()); }

  LlamaContext& context_;
  SequencePool sequences_;
};

}  // namespace rsd
