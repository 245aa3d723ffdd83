// The learned policy: the network as a RankingPolicy for `rsd` and `exact`.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "rsd/agent/relevance_network.h"
#include "rsd/decode/ranking_policy.h"

namespace rsd {

inline constexpr std::string_view kAgentPolicy = "agent";

// The longest lists that agents are trained on.
inline constexpr std::size_t kMostAgentItems = 128;

// Creates the policy; pass another `name` to compare several agents. One pass of the network per
// call, on the calling thread. Known items get the score 0.
//
// A list of more than kMostAgentItems items is ordered by `blend` alone (decode/policies.h), one of
// the heuristics that the agent starts from: agents are not trained on such lists, and at 454 items
// an agent takes seconds where `blend` takes some milliseconds (docs/measurements.md).
std::shared_ptr<const RankingPolicy> agent_policy(RelevanceNetwork network,
                                                  std::string name = std::string(kAgentPolicy));

}  // namespace rsd
