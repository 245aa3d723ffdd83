// Decodes several requests at a time on one LLM.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/cost_model.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/decoding_run.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/run.h"
#include "rsd/decode/turn.h"

namespace rsd {

// Requests that are served together: each step makes one pass of the LLM over the pending parts of
// several requests, whatever round each is in. Requests may be added and cancelled between steps.
//
// A pass takes longer the more requests it holds. Requests enter it in the order in which they are
// due (Timeliness::due), and only as long as all deadlines in the pass are expected to hold. A
// request without a deadline that is overdue gets a pass without requests that have one, so that no
// deadline aborts it. A pass that runs into a deadline all the same is aborted: the requests past
// their deadline finish with their ranking so far, and the others' parts are encoded again.
//
// With limit_passes() requests enter by turn (decode/turn.h), and no pass is expected to take
// longer than the limit, so that new requests need not wait for long: longer prompts and longer
// encodings go through the LLM in pieces, with other requests in between. An answer is the same up
// to the rounding of other batch shapes. At most every other pass goes to a request that was passed
// over.
//
// With an LLM that has a PartQueue, requests don't wait for each other: each has its own part in
// progress, and a deadline aborts only that part.
//
// Time spent waiting for other requests appears only in Outcome::Timing::total_ms: a request's
// prefill and decode times are its shares of the passes. Policies run one after the other, in the
// order in which their requests are due; a request whose policy would make another one miss its
// deadline is left out of the pass. `costs` learns from passes and policies; the caller reports
// refusals (Outcome::refused) to it. Not thread-safe.
class BatchRun {
 public:
  // All scorers passed to add() must be opened by `llm`. `costs` may be null.
  explicit BatchRun(BatchScorer& llm, CostModel* costs = nullptr,
                    std::function<Clock::time_point()> now = &Clock::now);
  ~BatchRun();
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;

  // `ticket` is the caller's name for the request. Outcome::Timing::total_ms counts from this call.
  void add(std::size_t ticket, Decoding decoding, std::unique_ptr<PositionScorer> scorer,
           const Timeliness& times = {});
  // Drops a request and frees its place in the LLM's cache at once. Returns false if there is no
  // such request (any more).
  bool cancel(std::size_t ticket);

  // Called before a pass, for each request with a deadline that is left out of it, with its answer
  // so far: its deadline may pass while the pass is running.
  using OnLeftOut = std::function<void(std::size_t ticket, const Outcome& so_far)>;
  void on_left_out(OnLeftOut callback) { on_left_out_ = std::move(callback); }

  // Limits the expected time of a pass. A pass may always hold 32 tokens, and 256 while the costs
  // are unknown. Without a limit, requests go through the LLM in as few passes as they need. Has no
  // effect if the LLM has a PartQueue.
  void limit_passes(std::chrono::milliseconds most) { longest_pass_ = most; }

  std::size_t size() const noexcept { return entries_.size(); }

  struct Finished {
    std::size_t ticket = 0;
    Decoding decoding;
    Result<Outcome> outcome;  // see run()
  };
  // Makes one pass and returns the requests that have finished, in the order of adding. If some
  // finish without a pass, it usually returns them at once and makes no pass, but never many times
  // in a row. With a PartQueue it returns when a part has ended, or after some milliseconds so that
  // requests can be added.
  std::vector<Finished> step();

 private:
  struct Entry;

  bool owes_pass() const;
  void ask_all();
  class Pass;

  std::vector<Entry*> by_turn() const;
  std::vector<Entry*> choose();
  void report_left_out(const std::vector<Entry*>& chosen);
  void encode(const std::vector<Entry*>& chosen);
  void end_late(const std::vector<Entry*>& chosen);
  void encode_concurrently(PartQueue& queue);
  void withdraw_late();
  void withdraw(Entry& entry);
  std::vector<Finished> take_finished();

  BatchScorer& llm_;
  CostModel* costs_;
  std::function<Clock::time_point()> now_;
  OnLeftOut on_left_out_;
  std::optional<std::chrono::milliseconds> longest_pass_;
  bool was_passed_over_ = false;    // the request that got the last pass
  std::size_t n_without_pass_ = 0;  // consecutive steps that made no pass
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace rsd
