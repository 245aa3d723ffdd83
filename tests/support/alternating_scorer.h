// A made-up LLM for which no heuristic is made: at every second position it prefers what is least
// relevant. Its rankings go best, worst, second best, … so only who looks at the rows one by one,
// and at where they stand, can foresee them.
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
