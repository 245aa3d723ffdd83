// What a ranker and its queue share.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "rsd/decode/cost_model.h"
#include "rsd/ranker/ranker.h"

namespace rsd {

struct Ranker::State {
  Parts parts;
  // Why the project's agent, which nobody asked for by name yet, can't be used.
  std::optional<Error> agent_fault;
  CostModel costs;
  bool is_calibrated = false;
};

}  // namespace rsd
