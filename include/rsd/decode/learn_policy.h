// What a policy takes on this machine, before any request has told.
#pragma once

#include <functional>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/ranking_policy.h"

namespace rsd {

// Asks `policy` about made-up histories of a few sizes and tells `costs` what it took: six calls,
// the longest about 256 items. A policy that fails says nothing.
void learn_policy(const RankingPolicy& policy, CostModel& costs,
                  const std::function<Clock::time_point()>& now = &Clock::now);

}  // namespace rsd
