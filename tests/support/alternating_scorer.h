// A synthetic LLM for which no heuristic is designed: at every second position it prefers the least
// relevant item. Its rankings are best, worst, second best, …, so only a policy that uses single
// rows and their positions can predict them.
#pragma once

#include <span>

#include "support/synthetic_scorer.h"

namespace rsd {

class AlternatingScorer : public SyntheticScorer {
 public:
  AlternatingScorer(std::uint64_t seed, std::size_t n_items)
      : SyntheticScorer(
            {.seed = seed, .n_items = n_items, .pair_noise = 0.3, .position_noise = 0.2}) {}

  float logit(std::span<const ItemId> prefix, ItemId item) const override {
    const auto relevance = static_cast<float>(options().relevance[item.slot()]);
    const float other = SyntheticScorer::logit(prefix, item) - relevance;
    return other + (prefix.size() % 2 == 0 ? relevance : -relevance);
  }
};

}  // namespace rsd
