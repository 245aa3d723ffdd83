// Learns what a policy costs on this machine before the first request.
#pragma once

#include <functional>

#include "rsd/decode/cost_model.h"
#include "rsd/decode/position_scorer.h"
#include "rsd/decode/ranking_policy.h"

namespace rsd {

// Times `policy` on synthetic histories of a few sizes and records the times in `costs`: six calls,
// the largest with 256 items. Stops at the first call that fails.
void learn_policy(const RankingPolicy& policy, CostModel& costs,
                  const std::function<Clock::time_point()>& now = &Clock::now);

}  // namespace rsd
