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

struct Timing {
  double prefill_ms = 0;  // encoding the prompt
  double decode_ms = 0;   // encoding proposals
  double agent_ms = 0;    // the policy: proposals and the last order
  double total_ms = 0;    // all of it and our own overhead
};

struct Outcome {
  Ranking ranking;
  std::size_t encodings = 0;        // passes of the LLM, the prefill's included
  std::size_t tokens_encoded = 0;   // prompt and proposals
  std::size_t prompt_tokens = 0;    // the prompt's, those used again included; 0 = not encoded
  std::size_t tokens_reused = 0;    // of the prompt's: known from an earlier request
  std::size_t verified_prefix = 0;  // leading positions known to equal the target ranking's
  bool deadline_hit = false;        // the deadline ended it before budget or fixed point did, or
                                    // left no time for the policy's last order
  Timing timing;
  std::vector<double> round_ms;  // by encoding; the prefill's is in the first
  // What was not started, since its estimate said so; for CostModel::doubt.
  std::optional<CostKind> refused = std::nullopt;
};

struct RunOptions {
  // The answer is due then. A further encoding is started only if it is expected to end in time,
  // and given up when it does not; a proposal is asked for only if there is time for it and for an
  // encoding, and the policy's last order only if there is time for that
  // (Decoding::ranking_at_once takes its place); nullopt = none.
  std::optional<Clock::time_point> deadline;
  // Learned across requests; may be null. Not shared between threads.
  CostModel* costs = nullptr;
  std::function<Clock::time_point()> now = &Clock::now;
};

// Fails only where no answer is possible: the LLM failed, a logit is not finite, or the policy is
// unusable. A deadline is no failure: the best ranking so far is returned, the input order if there
// is none. `scorer` must have as many items as `decoding` (LogicError).
// The prefill is billed in full even if the scorer had done it for an earlier decoding.
Result<Outcome> run(Decoding& decoding, PositionScorer& scorer, const RunOptions& options = {});

}  // namespace rsd
