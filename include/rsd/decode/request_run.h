// One request on its way through an LLM that others may share.
#pragma once

#include <optional>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/run.h"

namespace rsd {

// Says which pass of the LLM the request needs, takes in what came of it, and keeps its accounts
// and its deadline. Makes no pass itself: run() (decode/run.h) makes them for one request, BatchRun
// (decode/batch_run.h) for many, and who makes a pass tells the CostModel, as who takes the outcome
// tells it of Outcome::refused. What the policy takes the RequestRun tells it itself. Not
// thread-safe.
class RequestRun {
 public:
  // Decoding and scorer are used until the outcome is there; they must agree on the number of items
  // (LogicError).
  RequestRun(Decoding& decoding, PositionScorer& scorer, RunOptions options);

  // The prompt, or a proposal; nullopt when outcome() is due: all is known that is wanted, or there
  // is no time for more. The same again until absorb() or give_up() is called, but for the time. An
  // error is the request's end.
  Result<std::optional<PassPart>> next();
  // Of the part that next() named: its tokens, and what it is expected to take alone, 0 where
  // nothing is known of the costs.
  std::size_t n_tokens() const noexcept { return n_tokens_; }
  double expected_ms() const noexcept { return expected_ms_; }
  // The LLM's time that the request has had, and what the rest of its prompt is expected to take.
  double llm_ms() const;
  double prompt_ms() const;
  // Leaves at most so many tokens, 1 at least, of the part that next() named: what n_tokens() and
  // expected_ms() are of, and what absorb() takes in then. next() names the rest after that.
  // Together the pieces are one encoding, in the request's accounts, too. Where the prompt has no
  // pass of its own the part stays whole.
  PassPart cut(std::size_t n_tokens);
  // What the policy is expected to take for the next part, 0 where that is known already, or
  // nothing is known of the policy.
  double proposal_ms() const;
  // Does the part bring the prompt to the LLM?
  bool encodes_prompt() const noexcept;
  const std::optional<Clock::time_point>& deadline() const noexcept { return options_.deadline; }

  // What came of the part. kRuntime when a logit is not finite.
  Result<void> absorb(const PartResult& result);
  // The part ran into this request's deadline: there is no other.
  Result<void> give_up();

  // Fails where the policy does. To be called once.
  Result<Outcome> outcome();
  // What there is now. It asks the user's policy nothing: its last proposal stands for its order.
  Result<Outcome> so_far() const;

 private:
  template <class Work>
  auto by_policy(bool is_asked, Work work);
  std::optional<double> policy_ms(std::size_t n_rounds) const;
  bool has_time_for_proposal();
  bool has_time_for_order();
  void refuse(CostKind kind);
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
  bool expect_in_time(CostKind kind);
  Result<void> end_without_time();
  Result<void> take_in(const Encoding& encoding);
  void complete(Outcome& outcome, Ranking ranking) const;

  Decoding& decoding_;
  PositionScorer& scorer_;
  RunOptions options_;
  Clock::time_point start_;
  std::optional<Decoding::Step> step_;  // that is still to be encoded
  bool prefilled_ = false;
  Prefill begun_prompt_;           // the pieces of it so far
  double prompt_token_ms_ = 0;     // of the last piece
  std::optional<Encoding> begun_;  // of the step, with all of its rows
  std::size_t n_rows_begun_ = 0;   // that are there
  bool ended_ = false;
  Clock::time_point part_start_;
  std::size_t n_tokens_ = 0;
  double expected_ms_ = 0;
  double unbilled_ms_ = 0;  // of what an earlier decoding of the request has waited for
  Outcome outcome_;
};

}  // namespace rsd
