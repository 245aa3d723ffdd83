// Runs a decoding against a scorer, within a deadline, and keeps the accounts.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/rank/ranking.h"

namespace rsd {

struct Outcome {
  struct Timing {
    double prefill_ms = 0;  // encoding the prompt
    double decode_ms = 0;   // encoding proposals
    double agent_ms = 0;    // the policy: proposals and the final order
    double total_ms = 0;    // all of these and the overhead
  };

  Ranking ranking;
  std::size_t encodings = 0;       // passes of the LLM, the prefill included
  std::size_t tokens_encoded = 0;  // prompt and proposals
  std::size_t prompt_tokens = 0;   // the prompt's, reused ones included; 0 = not encoded
  std::size_t tokens_reused = 0;   // the prompt's, reused from an earlier request
  std::optional<std::size_t> candidates_reused{};  // Prefill::candidates_reused
  std::vector<float> relevance{};                  // Prefill::relevance
  std::size_t verified_prefix = 0;  // leading positions known to equal the target ranking's
  bool deadline_hit = false;        // the deadline ended it before the budget or fixed point did,
                                    // or left no time for the policy's final order
  Timing timing;
  std::vector<double> round_ms;  // one per encoding; the first includes the prefill
  // The kind of step that was refused because of its estimate; pass it to CostModel::doubt.
  std::optional<CostModel::Kind> refused = std::nullopt;
};

struct RunOptions {
  // The time when the answer is due; nullopt = none. A further encoding is started only if it is
  // expected to end in time, and aborted when it does not. The policy is called for a proposal only
  // if there is time for it and for an encoding, and for the final order only if there is time for
  // that (else Decoding::ranking_at_once is used).
  std::optional<Clock::time_point> deadline;
  // Learned across requests; may be null. Not shared between threads.
  CostModel* costs = nullptr;
  std::function<Clock::time_point()> now = &Clock::now;
};

// Fails only if no answer is possible: the LLM failed, a logit is not finite, or the policy is
// unusable. A missed deadline is not a failure: the best ranking so far is returned, the input
// order if there is none. `scorer` must have as many items as `decoding` (LogicError). The prefill
// is billed in full even if the scorer made it for an earlier decoding.
Result<Outcome> run(Decoding& decoding, PositionScorer& scorer, const RunOptions& options = {});

}  // namespace rsd
