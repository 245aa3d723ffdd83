// The sequences of an LLM's cache, and which of them are in use.
#pragma once

#include <llama.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "rsd/core/check.h"

namespace rsd {

inline llama_seq_id id_of(std::size_t sequence) {
  return static_cast<llama_seq_id>(sequence);
}

class SequencePool {
 public:
  explicit SequencePool(std::size_t n_sequences) : taken_(n_sequences, false) {}

  std::size_t size() const { return taken_.size(); }
  bool is_taken(std::size_t sequence) const { return taken_.at(sequence); }
  std::size_t n_free() const { return static_cast<std::size_t>(std::ranges::count(taken_, false)); }
  // The lowest one that is free.
  std::optional<std::size_t> take() {
    const auto free = std::ranges::find(taken_, false);
    if (free == taken_.end()) return std::nullopt;
    *free = true;
    return static_cast<std::size_t>(free - taken_.begin());
  }
  void give_back(std::size_t sequence) {
    RSD_CHECK(taken_.at(sequence), "a sequence that was not taken");
    taken_[sequence] = false;
  }

 private:
  std::vector<bool> taken_;
};

}  // namespace rsd
