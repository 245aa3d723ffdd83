// Histories for tests, from decodings of a synthetic LLM.
#pragma once

#include <cstddef>
#include <cstdint>

#include "rsd/decode/decoding.h"
#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "support/synthetic_scorer.h"

namespace rsd {

// Noisy: an item's logit depends on all items before it.
inline SyntheticScorer noisy_scorer(std::size_t n_items, std::uint64_t seed) {
  SyntheticOptions options;
  options.seed = seed;
  options.n_items = n_items;
  options.prefix_noise = 3;
  return SyntheticScorer(options);
}

// After `n_rounds` encodings by a heuristic that learns little from each; no row is forgotten.
inline History decoded_history(std::size_t n_items, std::size_t n_rounds, std::uint64_t seed,
                               Draft draft = Draft::kInput) {
  SyntheticScorer scorer = noisy_scorer(n_items, seed);
  DecodingOptions options;
  options.decoder = DecoderKind::kRsd;
  options.budget = n_rounds;
  options.draft = draft;
  options.n_recent = kEveryRound;
  options.policy = first_row_policy();
  auto decoding = Decoding::create(n_items, options).value();
  static_cast<void>(run(decoding, scorer).value());
  return decoding.history();
}

// The rows 0..n_rows-1 of `proposal`.
inline LogitMatrix rows_of(const SyntheticScorer& scorer, const std::vector<ItemId>& proposal,
                           std::size_t n_rows) {
  LogitMatrix rows(n_rows, scorer.n_items());
  for (std::size_t j = 0; j < n_rows; ++j)
    for (std::size_t i = 0; i < scorer.n_items(); ++i)
      rows.row(j)[i] = scorer.logit(std::span(proposal).first(j), ItemId(i));
  return rows;
}

}  // namespace rsd
