#include "rsd/ranker/named_policies.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "rsd/agent/agent_file.h"
#include "rsd/agent/agent_policy.h"
#include "rsd/models/default_model.h"

namespace rsd {
namespace {

bool asks_for_agent(const std::vector<std::string>& names) {
  return names.empty() || std::ranges::find(names, kAgentPolicy) != names.end();
}

std::string stem_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

Result<Policies> load_agents(const std::vector<std::string>& paths) {
  Policies policies;
  std::set<std::string> taken;
  for (const std::string& path : paths) {
    auto agent = load_agent(path);
    if (!agent) return agent.error();
    const std::string name =
        std::string(kAgentPolicy) + (paths.size() > 1 ? ":" + stem_of(path) : "");
    if (!taken.insert(name).second) {
      return Error(ErrorCode::kInvalidArgument, "two agents have the name \"" + stem_of(path) +
                                                    "\"; their file names must differ");
    }
    policies.push_back(agent_policy(std::move(agent->network), name));
  }
  return policies;
}

}  // namespace

std::vector<std::string> one_or_none(const std::string& name) {
  return name.empty() ? std::vector<std::string>() : std::vector{name};
}

std::vector<std::string> agent_files(const PolicyNames& wanted) {
  if (!asks_for_agent(wanted.names)) return {};
  if (!wanted.agents.empty()) return wanted.agents;
  auto own = project_agent(wanted.places);
  return own ? std::vector{*std::move(own)} : std::vector<std::string>();
}

Result<Policies> named_policies(const PolicyNames& wanted) {
  if (!wanted.agents.empty() && !asks_for_agent(wanted.names)) {
    return Error(ErrorCode::kInvalidArgument,
                 "--agent is not used: --policy doesn't name " + std::string(kAgentPolicy));
  }
  auto learned = load_agents(agent_files(wanted));
  if (!learned || (wanted.names.empty() && !learned->empty())) return learned;
  Policies policies;
  const std::vector<std::string> fallback{std::string(kDefaultPolicy)};
  for (const std::string& name : wanted.names.empty() ? fallback : wanted.names) {
    if (name == kAgentPolicy) {
      if (learned->empty())
        return Error(ErrorCode::kInvalidArgument, "policy agent needs a file: --agent FILE");
      policies.insert(policies.end(), learned->begin(), learned->end());
      continue;
    }
    auto policy = policy_by_name(name);
    if (!policy) return policy.error();
    policies.push_back(*std::move(policy));
  }
  return policies;
}

}  // namespace rsd
