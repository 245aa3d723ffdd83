// The learned policy: the network as what `rsd` and `exact` ask for an order.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "rsd/agent/relevance_network.h"
#include "rsd/decode/ranking_policy.h"

namespace rsd {

inline constexpr std::string_view kAgentPolicy = "agent";

// Of that name, or another one where several are compared. Scores known items 0. One pass of the
// network per call, on the calling thread.
std::shared_ptr<const RankingPolicy> agent_policy(RelevanceNetwork network,
                                                  std::string name = std::string(kAgentPolicy));

}  // namespace rsd
