// The learned policy: the network as what `rsd` and `exact` ask for an order.
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

// Of that name, or another one where several are compared. One pass of the network per call, on the
// calling thread. Scores known items 0.
//
// A list of more than kMostAgentItems items is ordered by `blend` alone (decode/policies.h), a part
// of what the agent starts from: nobody taught the agent such lists, and at 454 items it takes
// seconds for what `blend` does in some milliseconds (docs/measurements.md).
std::shared_ptr<const RankingPolicy> agent_policy(RelevanceNetwork network,
                                                  std::string name = std::string(kAgentPolicy));

}  // namespace rsd
