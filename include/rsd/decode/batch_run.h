// Several requests at once on one LLM.
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
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/request_run.h"
#include "rsd/decode/run.h"
#include "rsd/decode/turn.h"

namespace rsd {

// Requests that are served together: in each step one pass of the LLM for all that are under way,
// whatever round each is in. They may come and go between steps.
//
// A pass takes longer the more requests are in it. Those whose turn it is (decode/turn.h) are in it
// first, and others only as far as the deadlines of those in it are expected to hold. Every request
// is due kPatience after its arrival at the latest, and gets a pass when it has been passed over
// for that long, so that no others can keep it waiting for ever. A pass that runs into a deadline
// all the same is given up; the requests whose time is over end with what they have, the others'
// work is done again.
//
// With limit_passes() no pass is expected to take longer than that, so that whoever comes next
// needn't wait for long: what exceeds it goes through the LLM in pieces, prompts as well as the
// rows of an encoding, and others get in between. A request's answer is the same up to the rounding
// of other batch shapes.
//
// Where the LLM has a PartQueue, requests don't wait for each other: each has its own part under
// way, and a deadline ends that part only.
//
// What a request waits for others shows in Timing::total_ms only: its prefill and decode times are
// its shares of the passes. Policies are asked one after the other, those of requests that are due
// first in front; a pass is made without those whose policies take longer than an earlier deadline
// leaves. `costs` learns from passes and policies; refusals (Outcome::refused) are the caller's to
// tell it. Not thread-safe.
class BatchRun {
 public:
  // `llm` has opened the scorers that come. `costs` may be null.
  explicit BatchRun(BatchScorer& llm, CostModel* costs = nullptr,
                    std::function<Clock::time_point()> now = &Clock::now);
  ~BatchRun();
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;

  // `ticket` is the caller's name for it. The request's time begins to count here.
  void add(std::size_t ticket, Decoding decoding, std::unique_ptr<PositionScorer> scorer,
           const Timeliness& times = {});
  // Drops a request; its place in the LLM's cache is free at once. False when it isn't there (any
  // more).
  bool cancel(std::size_t ticket);

  // Called before a pass, for each request with a deadline that is not in it: what its answer is so
  // far. Its deadline may come while the pass is running.
  using OnLeftOut = std::function<void(std::size_t ticket, const Outcome& so_far)>;
  void on_left_out(OnLeftOut callback) { on_left_out_ = std::move(callback); }

  // The expected time of a pass, at most; of 32 tokens in any case, and of 256 while nothing is
  // known of the costs. Without it requests go through the LLM in as few passes as they need. No
  // matter where the LLM has a PartQueue.
  void limit_passes(std::chrono::milliseconds most) { longest_pass_ = most; }

  std::size_t size() const noexcept { return requests_.size(); }

  struct Finished {
    std::size_t ticket = 0;
    Decoding decoding;
    Result<Outcome> outcome;  // as of run()
  };
  // Makes one pass and gives those that came to their end, in the order of adding. Where some come
  // to their end without a pass, they are given at once, and none is made, but not for ever. With a
  // PartQueue it returns when a part has ended, or after some milliseconds, so that others can be
  // added.
  std::vector<Finished> step();

 private:
  struct Request;

  bool owes_pass() const;
  void ask_all();
  class Pass;

  std::vector<Request*> by_turn() const;
  std::vector<Request*> choose();
  void tell_left_out(const std::vector<Request*>& chosen);
  void encode(const std::vector<Request*>& chosen);
  void give_up_what_is_late(const std::vector<Request*>& chosen);
  void go_on_side_by_side(PartQueue& queue);
  void withdraw_what_is_late();
  void withdraw(Request& request);
  std::vector<Finished> take_finished();

  BatchScorer& llm_;
  CostModel* costs_;
  std::function<Clock::time_point()> now_;
  OnLeftOut on_left_out_;
  std::optional<std::chrono::milliseconds> longest_pass_;
  bool was_passed_over_ = false;    // who got the last pass
  std::size_t n_without_pass_ = 0;  // steps, one after the other
  std::vector<std::unique_ptr<Request>> requests_;
};

}  // namespace rsd
