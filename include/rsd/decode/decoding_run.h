// Runs one decoding on an LLM that other decodings may share.
#pragma once

#include <optional>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/run.h"

namespace rsd {

// Returns the part that the decoding needs next, takes in its result, and keeps its accounts and
// its deadline. It makes no pass itself: run() (decode/run.h) makes them for one request, BatchRun
// (decode/batch_run.h) for many. The caller reports passes and Outcome::refused to the CostModel;
// the DecodingRun itself reports the policy's time. Not thread-safe.
class DecodingRun {
 public:
  // Decoding and scorer are used until outcome() returns; LogicError when their numbers of items
  // differ.
  DecodingRun(Decoding& decoding, PositionScorer& scorer, RunOptions options);

  // The prompt, or a proposal; nullopt when outcome() is due: all wanted positions are known, or
  // there is no time for another encoding. Returns the same part until absorb() or give_up() is
  // called or its time is over. An error ends the request.
  Result<std::optional<PassPart>> next();
  // The tokens of the part that next() returned, and its expected milliseconds in a pass of its
  // own; 0 while its costs are unknown.
  std::size_t n_tokens() const noexcept { return n_tokens_; }
  double expected_ms() const noexcept { return expected_ms_; }
  // The LLM time that the request has used, and the time that the rest of its prompt is expected to
  // take.
  double llm_ms() const;
  double prompt_ms() const;
  // Limits the part that next() returned to n_tokens tokens, at least 1: n_tokens(), expected_ms()
  // and absorb() then mean this piece, and next() returns the rest after it. The pieces count as
  // one encoding. If the prompt has no pass of its own the part stays whole.
  PassPart cut(std::size_t n_tokens);
  // The policy's expected milliseconds for the next part; 0 if that part needs no policy, or while
  // the policy's costs are unknown.
  double proposal_ms() const;
  // True if the part encodes the prompt.
  bool encodes_prompt() const noexcept;
  const std::optional<Clock::time_point>& deadline() const noexcept { return options_.deadline; }

  // Takes in the part's result. kRuntime when a logit is not finite.
  Result<void> absorb(const PartResult& result);
  // The part was aborted at this request's deadline; no other follows.
  Result<void> give_up();

  // Fails if the policy does. Call it once.
  Result<Outcome> outcome();
  // The answer so far. It does not call the user's policy but uses the order of its last proposal.
  Result<Outcome> so_far() const;

 private:
  template <class Work>
  auto by_policy(bool is_asked, Work work);
  std::optional<double> policy_ms(std::size_t n_rounds) const;
  bool has_time_for_proposal();
  bool has_time_for_order();
  void refuse(CostModel::Kind kind);
  Result<void> prefill_without_pass();
  bool needs_pass(const RowRange& rows) const noexcept;
  double expected_prefill_ms(std::size_t n_tokens) const;
  RowRange rows_left() const noexcept;
  EncodingQuery query_of(const RowRange& rows) const;
  std::optional<Encoding> joined(const Encoding& piece);
  Result<void> take_in_pieces();
  Result<std::optional<PassPart>> next_prefill();
  Result<std::optional<PassPart>> next_encoding();
  bool is_before_deadline();
  bool expect_in_time(CostModel::Kind kind);
  Result<void> end_without_time();
  Result<void> take_in(const Encoding& encoding);
  void complete(Outcome& outcome, Ranking ranking) const;

  Decoding& decoding_;
  PositionScorer& scorer_;
  RunOptions options_;
  Clock::time_point start_;
  std::optional<Decoding::Step> step_;  // not encoded yet
  bool prefilled_ = false;
  Prefill begun_prompt_;           // the pieces of it so far
  double prompt_token_ms_ = 0;     // of the last piece
  std::optional<Encoding> begun_;  // of the step, with all of its rows
  std::size_t n_rows_begun_ = 0;   // that are there
  bool ended_ = false;
  Clock::time_point part_start_;
  std::size_t n_tokens_ = 0;
  double expected_ms_ = 0;
  double unbilled_ms_ = 0;  // billed for work of an earlier decoding, which this one did not wait
                            // for
  Outcome outcome_;
};

}  // namespace rsd
