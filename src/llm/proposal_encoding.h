// Encodes the items of proposals after one scorer's prompt.
#pragma once

#include <cstddef>

#include "llm/lanes.h"
#include "llm/scorer_part.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/prompt/prompt_builder.h"

namespace rsd {

// Keeps what of a lane agrees with the new proposal; what comes after the first change is encoded.
class ProposalEncoding {
 public:
  // Both outlive it.
  ProposalEncoding(const Prompt& prompt, Lanes& lanes) : prompt_(prompt), lanes_(lanes) {}

  // A part without tokens yet. Nothing of the lane is kept where it may not be.
  ScorerPart begin(const EncodingQuery& query, bool may_keep) const;
  static bool is_done(const ScorerPart& part) { return n_needed(part) <= part.n_kept; }
  // The tokens to encode after the items that are kept, which are all that the lane holds.
  void stage(ScorerPart& part);
  // After the pass: `done` is false where it broke off. False: the cache can't drop what that pass
  // has left.
  bool finish(const ScorerPart& part, bool done);

 private:
  // Row j comes out at item j-1. Items before the first wanted row are encoded only where the cache
  // lacks them.
  static std::size_t n_needed(const ScorerPart& part) { return part.query->rows.end - 1; }
  static std::size_t first_wanted(const ScorerPart& part);

  const Prompt& prompt_;
  Lanes& lanes_;
};

}  // namespace rsd
