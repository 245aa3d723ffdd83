// Ranking policies by name, the learned ones included.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/policies.h"
#include "rsd/models/model_places.h"

namespace rsd {

using Policies = std::vector<std::shared_ptr<const RankingPolicy>>;

struct PolicyNames {
  std::vector<std::string> names{};   // those of policies.h and kAgentPolicy
  std::vector<std::string> agents{};  // files; empty: the project's own, where it is found
  ModelPlaces places{};
};

// Element of PolicyNames for an option that holds one name or file, or is empty.
std::vector<std::string> one_or_none(const std::string& name);

// The policies that are named, at least one. kAgentPolicy stands for the agents of the files, each
// under "agent:<file's stem>" where there are several; without a name these are taken, and where
// there are none kDefaultPolicy. kInvalidArgument: no such policy, kAgentPolicy without a file,
// files that no name asks for, or two of one stem; else the errors of load_agent.
Result<Policies> named_policies(const PolicyNames& wanted);

// The files that these agents come from; empty where no agent is asked for.
std::vector<std::string> agent_files(const PolicyNames& wanted);

}  // namespace rsd
