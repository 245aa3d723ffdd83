// Requests on their way through a ranker, side by side.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/data/answer.h"
#include "rsd/decode/places.h"
#include "rsd/ranker/ranker.h"

namespace rsd {

struct QueueOptions {
  // Places for short requests (decode/places.h) beside the ranker's: long ones never take them. At
  // most kReservedPlaces.
  std::size_t reserved = 0;
  // No pass is expected to take longer: longer parts go through the LLM in pieces, with other
  // requests in between. nullopt = no limit.
  std::optional<std::chrono::milliseconds> longest_pass{};
};

// Each step is one LLM pass over all requests that are under way. Those that are due first
// (Timeliness) begin first. Not thread-safe; the ranker outlives it and serves no other queue at
// the same time.
class RankingQueue {
 public:
  explicit RankingQueue(Ranker& ranker, const QueueOptions& options = {});
  ~RankingQueue();
  RankingQueue(const RankingQueue&) = delete;
  RankingQueue& operator=(const RankingQueue&) = delete;

  // `ticket` is the caller's name for it, used by no other request in the queue. kInvalidArgument
  // where options are out of range.
  Result<void> add(std::size_t ticket, std::shared_ptr<const PreparedRequest> request);
  // Ranker::prepare and add in one. Errors of both.
  Result<void> add(std::size_t ticket, Request request, const RankOptions& options = {},
                   Clock::time_point arrival = Clock::now());
  // Its places are free at once. False when the ticket isn't in the queue.
  bool cancel(std::size_t ticket);

  std::size_t size() const noexcept;
  // May one more request begin, beside those that are under way? More may be added; they wait.
  bool has_place(Length length = Length::kLong) const;

  struct Finished {
    std::size_t ticket = 0;
    Result<Answer> answer;  // kRuntime where the LLM failed, or an error of a prompt
  };
  // Makes one pass, if any request waits for one, and returns those that have finished. Requests
  // that need no LLM, and those whose prompts fail, are returned first, without a pass.
  std::vector<Finished> step();

  // Called before a pass, for each request with a deadline that the pass leaves out: its answer so
  // far. The deadline may come while the pass runs.
  using OnLeftOut = std::function<void(std::size_t ticket, const Answer& so_far)>;
  void on_left_out(OnLeftOut callback);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rsd
