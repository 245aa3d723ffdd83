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

// Returns the named policies, at least one. kAgentPolicy stands for the agents of the files; if
// there are several, their names are "agent:<file's stem>". Without names it returns the agents, or
// kDefaultPolicy if there are none. kInvalidArgument: an unknown name, kAgentPolicy without a file,
// files although no name is kAgentPolicy, or two files of one stem; else the errors of load_agent.
Result<Policies> named_policies(const PolicyNames& wanted);

// The files of the agents among these policies; empty if there are none.
std::vector<std::string> agent_files(const PolicyNames& wanted);

}  // namespace rsd
