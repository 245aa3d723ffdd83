// In which order requests that wait are taken in.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/turn.h"

namespace rsd::server {

// A request is due at its deadline, or kPatience after its arrival, whichever comes first; and
// later by four times the LLM's time that it is expected to take. So a long request lets those go
// first that take little, but not for ever. What a key has asked for before counts as well: its
// requests are due as if each had come when the LLM could have finished those before it, had it
// nothing else to do. Not thread-safe.
class QueueTurns {
 public:
  explicit QueueTurns(const CostModel& costs) { learn(costs); }

  // What a token takes.
  void learn(const CostModel& costs);
  // When a request of that key, which came just now, is due. An empty key is nobody's.
  Clock::time_point due(const std::string& key, const Timeliness& times,
                        std::size_t expected_tokens, Clock::time_point now);

 private:
  Clock::duration expected(std::size_t n_tokens) const;

  double ms_per_token_ = 0;
  // By key: when the LLM could have finished what it has asked for. Those in the past are dropped.
  std::map<std::string, Clock::time_point> finished_;
};

}  // namespace rsd::server
