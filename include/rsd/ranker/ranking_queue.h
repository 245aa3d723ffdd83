// Ranks many requests concurrently on one ranker.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/answer.h"
#include "rsd/decode/llm_engine.h"
#include "rsd/ranker/ranker.h"

namespace rsd {

struct QueueOptions {
  // Places for short requests, in addition to the ranker's EngineOptions::parallel places: 0 to
  // kReservedPlaces. Long requests never take them. An LLM that takes one request at a time keeps
  // none.
  std::size_t reserved = 0;
  // Limits the expected time of a pass of the LLM: longer parts go through it in pieces, with other
  // requests in between. nullopt = no limit.
  std::optional<std::chrono::milliseconds> longest_pass{};
};

// Each step makes one pass of the LLM over requests in progress. The request that is due first
// begins first: at its deadline, or some seconds after its arrival; with a limit for passes, those
// that have used less LLM time go before it. Not thread-safe; the ranker must outlive the queue and
// must serve no other queue at the same time.
class RankingQueue {
 public:
  explicit RankingQueue(Ranker& ranker, const QueueOptions& options = {});
  ~RankingQueue();
  RankingQueue(const RankingQueue&) = delete;
  RankingQueue& operator=(const RankingQueue&) = delete;

  // `ticket` is the caller's name for the request; LogicError if a request in the queue has it.
  // kInvalidArgument if options are out of range.
  Result<void> add(std::size_t ticket, std::shared_ptr<const PreparedRequest> request);
  // Prepares the request (Ranker::prepare) and adds it. Errors of both.
  Result<void> add(std::size_t ticket, Request request, const RankOptions& options = {},
                   Clock::time_point arrival = Clock::now());
  // Drops a request and frees its places at once. Returns false if no request has this ticket (any
  // more).
  bool cancel(std::size_t ticket);

  std::size_t size() const noexcept;
  // True if one more request of that length could begin now. More may be added; they wait.
  bool has_place(Length length = Length::kLong) const;

  struct Finished {
    std::size_t ticket = 0;
    Result<Answer> answer;  // kRuntime if the LLM failed, or the error of a window's prompt
  };
  // Makes one pass, if any request waits for one, and returns the requests that have finished. If
  // some finish without a pass, because they need no LLM or their prompts fail, it returns these at
  // once and makes no pass.
  std::vector<Finished> step();

  // Called before a pass, for each request with a deadline that is left out of it, with its answer
  // so far: its deadline may pass while the pass is running.
  using OnLeftOut = std::function<void(std::size_t ticket, const Answer& so_far)>;
  void on_left_out(OnLeftOut callback);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd
