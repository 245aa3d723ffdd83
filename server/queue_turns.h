// The order in which waiting requests are taken in.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/turn.h"

namespace rsd::server {

// A request is due at its deadline, or kPatience after its arrival, whichever comes first; and
// later by four times the LLM time that it is expected to take. So short requests go before a long
// one, but not forever. A key's earlier requests count as well: each is due as if it had come when
// an LLM with nothing else to do would have finished those before it. Not thread-safe.
class QueueTurns {
 public:
  explicit QueueTurns(const CostModel& costs) { learn(costs); }

  // Updates the time per token.
  void learn(const CostModel& costs);
  // When a request of that key, which came just now, is due. Requests without a key (empty) are
  // independent of each other.
  Clock::time_point due(const std::string& key, const Timeliness& times,
                        std::size_t expected_tokens, Clock::time_point now);

 private:
  Clock::duration expected(std::size_t n_tokens) const;

  double ms_per_token_ = 0;
  // By key: when the LLM could have finished its requests. Times in the past are dropped.
  std::map<std::string, Clock::time_point> finished_;
};

}  // namespace rsd::server
