#include "llm/kv_cells.h"

#include <utility>
#include <vector>

namespace rsd {
namespace {

// A copy of what the cache holds of a sequence.
struct SavedSequence {
  llama_seq_id id = 0;
  std::vector<std::uint8_t> data;
};

std::vector<SavedSequence> save(llama_context* context, const SequencePool& sequences) {
  std::vector<SavedSequence> saved;
  for (std::size_t sequence = 0; sequence < sequences.size(); ++sequence) {
    if (!sequences.is_taken(sequence)) continue;
    const llama_seq_id id = id_of(sequence);
    std::vector<std::uint8_t> data(llama_state_seq_get_size(context, id));
    data.resize(llama_state_seq_get_data(context, data.data(), data.size(), id));
    saved.push_back({.id = id, .data = std::move(data)});
  }
  return saved;
}

bool restore(llama_context* context, const std::vector<SavedSequence>& saved) {
  bool all_there = true;
  for (const SavedSequence& sequence : saved) {
    all_there = llama_state_seq_set_data(context, sequence.data.data(), sequence.data.size(),
                                         sequence.id) > 0 &&
                all_there;
  }
  return all_there;
}

}  // namespace

void KvCells::release(std::size_t sequence) {
  clear(sequence);
  sequences_.give_back(sequence);
}

void KvCells::clear(std::size_t sequence) {
  llama_memory_seq_rm(memory(), id_of(sequence), -1, -1);
}

void KvCells::share(std::size_t from, std::size_t to, std::size_t end) {
  llama_memory_seq_cp(memory(), id_of(from), id_of(to), 0, static_cast<llama_pos>(end));
}

bool KvCells::truncate(std::size_t sequence, std::size_t end) {
  return llama_memory_seq_rm(memory(), id_of(sequence), static_cast<llama_pos>(end), -1);
}

// Through a sequence of its own, since what is restored replaces what a sequence holds.
Result<void> KvCells::append(std::size_t sequence, std::span<const std::uint8_t> state) {
  const llama_seq_id transfer = id_of(sequences_.size());
  if (llama_state_seq_set_data(context_.get(), state.data(), state.size(), transfer) == 0)
    return Error(ErrorCode::kRuntime, "a block can't be put into the LLM's cache");
  llama_memory_seq_cp(memory(), transfer, id_of(sequence), -1, -1);
  llama_memory_seq_rm(memory(), transfer, -1, -1);
  return {};
}

KvCells::Resized KvCells::resize(std::size_t n_cells) {
  const auto saved = save(context_.get(), sequences_);
  auto done = context_.resize(n_cells);
  return {.done = std::move(done), .kept_all = restore(context_.get(), saved)};
}

}  // namespace rsd
