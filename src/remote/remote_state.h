// The state shared by a remote engine and its scorers.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "remote/dispatcher.h"
#include "rsd/core/result.h"
#include "rsd/decode/places.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/remote/remote_engine.h"

namespace rsd {

class RemoteEngine::State final : public PartQueue {
 public:
  std::unique_ptr<Dispatcher> dispatcher;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::size_t context_size = 0;
  Places places;
  std::vector<Scorer*> scorers;  // open scorers
  PromptReuse reuse;

  // LogicError if it isn't open.
  Scorer& own(PositionScorer* scorer) const;

  Ticket start(const PassPart& part) override;
  Ticket start(Scorer& scorer, const EncodingQuery& query);
  void cancel(Ticket ticket) override;
  // Called when a scorer is destroyed: cancels its questions.
  void forget(const Scorer& scorer);
  std::vector<Ended> wait(Clock::time_point until) override;

  // Asks all questions at once; answers are in order. kDeadlineExceeded when `give_up_at` passes
  // before all are answered; else the first error.
  struct Asked {
    Scorer* scorer = nullptr;
    const EncodingQuery* query = nullptr;
  };
  Result<std::vector<Encoding>> encode(std::span<const Asked> asked,
                                       std::optional<Clock::time_point> give_up_at);

 private:
  struct Open {
    Ticket ticket = 0;
    Scorer* scorer = nullptr;
    EncodingQuery query;
  };

  void end(Ticket ticket, Result<PartResult> result) {
    ended_.push_back({.ticket = ticket, .result = std::move(result)});
  }
  void collect(Clock::time_point until);
  std::optional<Result<PartResult>> take(Ticket ticket);

  std::map<Dispatcher::Id, Open> open_;
  std::vector<Ended> ended_;  // not returned by wait() yet
  Ticket next_ticket_ = 1;
};

}  // namespace rsd
