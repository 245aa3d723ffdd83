// The lanes of one scorer in the LLM's cache.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "llm/kv_cells.h"
#include "rsd/core/index.h"

namespace rsd {

// Each lane is a sequence: the prompt, whose cells the lanes share, and after it the lane's items.
// The first one is there as soon as the prompt is encoded, the others when they are used.
class Lanes {
 public:
  // `prompt_end` is the position after the prompt. The cells outlive it.
  Lanes(KvCells& cells, std::size_t prompt_end) : cells_(cells), prompt_end_(prompt_end) {}
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  std::size_t prompt_end() const noexcept { return prompt_end_; }
  // Lanes that were ever used, at least 1.
  std::size_t n_used() const;
  // How many of the first n_lanes have no sequence.
  std::size_t n_lacking(std::size_t n_lanes) const;

  // With the prompt in it, except for the first lane, into which the prompt is to be encoded.
  std::size_t sequence(std::size_t lane) { return at(lane).sequence; }
  // After the prompt; empty where the lane isn't there.
  std::span<const ItemId> items(std::size_t lane) const;
  // The items that the lane's sequence holds now.
  void set_items(std::size_t lane, std::span<const ItemId> items);
  // Keeps the first n_items of those that are there. False, and the cache is as it was, when the
  // model's cache can't drop its end.
  bool truncate(std::size_t lane, std::size_t n_items);
  // The same for all lanes and no items. False: not all of them could.
  bool drop_items();

  void forget_all();
  void forget_all_but_first();
  // The sequence is the caller's from now on.
  std::size_t give_away_first();

 private:
  struct Lane {
    std::size_t sequence = 0;
    std::vector<ItemId> items;  // in the cache after the prompt
  };

  Lane& at(std::size_t lane);

  KvCells& cells_;
  std::size_t prompt_end_;
  std::vector<std::optional<Lane>> lanes_;
};

// Decodings of one request that can go on side by side in one batch.
inline constexpr std::size_t kMaxLanes = 32;

}  // namespace rsd
