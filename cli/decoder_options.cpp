#include "decoder_options.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "model_places.h"
#include "option_checks.h"
#include "rsd/agent/agent_file.h"
#include "rsd/agent/agent_policy.h"

namespace rsd::cli {
namespace {

constexpr std::size_t kMaxCount = 1'000'000;
constexpr double kMaxDeadlineMs = 1e9;  // eleven days; a clock can add it

std::string joined(const std::vector<std::string_view>& names) {
  std::string list;
  for (const auto name : names)
    list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

bool takes_agent(const std::vector<std::string>& names) {
  return names.empty() || std::ranges::find(names, kAgentPolicy) != names.end();
}

std::string stem_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

// Several go by their files' names.
Result<Policies> load_agents(const std::vector<std::string>& paths) {
  Policies policies;
  std::set<std::string> taken;
  for (const std::string& path : paths) {
    auto agent = load_agent(path);
    if (!agent) return agent.error();
    const std::string name =
        std::string(kAgentPolicy) + (paths.size() > 1 ? ":" + stem_of(path) : "");
    if (!taken.insert(name).second) {
      return Error(ErrorCode::kInvalidArgument,
                   "two agents have the name \"" + stem_of(path) + "\", which tells them apart");
    }
    policies.push_back(agent_policy(std::move(agent->network), name));
  }
  return policies;
}

}  // namespace

void add_decoder_options(CLI::App& command, DecoderOptions& options) {
  const std::string group = "Decoding";
  command.add_option("--decoder", options.decoder, "rsd, exact, sd, std or ar")
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--budget", options.budget,
                  "LLM encodings a request, the prompt's included (for rsd, default: " +
                      std::to_string(kDefaultBudget) + "; for sd, default: none)")
      ->check(whole_number(1, kMaxCount))
      ->type_name("T")
      ->group(group);
  command
      .add_option("--deadline-ms", options.deadline_ms,
                  "Milliseconds for a request; then the best ranking so far is returned")
      ->check(positive_number(kMaxDeadlineMs))
      ->type_name("MS")
      ->group(group);
  command.add_option("--top-n", options.top_n, "Stop as soon as the first N positions are known")
      ->check(whole_number(1, kMaxCount))
      ->type_name("N")
      ->group(group);
  command
      .add_option(
          "--draft", options.draft,
          "What the first encoding carries behind the prompt: first-token (nothing) or input "
          "(the input order); default: input for rsd with a budget of 1, else first-token")
      ->check(not_empty())
      ->type_name("NAME")
      ->group(group);
  command
      .add_option(
          "--policy", options.policy,
          "What orders the positions that are not known (rsd, exact): agent (the learned one, the "
          "default), " +
              joined(policy_names()) + "; where no agent is found: " + std::string(kDefaultPolicy))
      ->check(not_empty())
      ->type_name("NAME")
      ->group(group);
  command.add_option("--agent", options.agent, std::string(kAgentHelp))
      ->check(not_empty())
      ->type_name("FILE")
      ->group(group);
}

std::vector<std::string> agent_files(const std::vector<std::string>& names,
                                     const std::vector<std::string>& agents) {
  if (!takes_agent(names)) return {};
  if (!agents.empty()) return agents;
  auto own = project_agent(model_places());
  return own ? std::vector{*std::move(own)} : std::vector<std::string>();
}

Result<Policies> named_policies(const std::vector<std::string>& names,
                                const std::vector<std::string>& agents) {
  if (!agents.empty() && !takes_agent(names)) {
    return Error(ErrorCode::kInvalidArgument,
                 "--agent is not used: --policy doesn't name " + std::string(kAgentPolicy));
  }
  auto learned = load_agents(agent_files(names, agents));
  if (!learned || (names.empty() && !learned->empty())) return learned;
  Policies policies;
  const std::vector<std::string> fallback{std::string(kDefaultPolicy)};
  for (const std::string& name : names.empty() ? fallback : names) {
    if (name == kAgentPolicy) {
      if (learned->empty()) {
        return Error(ErrorCode::kInvalidArgument, "policy agent needs a file: --agent FILE");
      }
      policies.insert(policies.end(), learned->begin(), learned->end());
      continue;
    }
    auto policy = policy_by_name(name);
    if (!policy) return policy.error();
    policies.push_back(*std::move(policy));
  }
  return policies;
}

Result<DecodingOptions> decoding_options(const DecoderOptions& options) {
  const auto decoder = parse_decoder(options.decoder);
  if (!decoder) return decoder.error();
  std::optional<Draft> draft;
  if (!options.draft.empty()) {
    const auto named = parse_draft(options.draft);
    if (!named) return named.error();
    draft = *named;
  }
  std::shared_ptr<const RankingPolicy> policy;
  if (uses_policy(*decoder)) {
    const auto named = named_policies(listed(options.policy), listed(options.agent));
    if (!named) return named.error();
    policy = named->front();
  } else if (!options.policy.empty() || !options.agent.empty()) {
    spdlog::warn("decoder {} orders by no policy; --policy and --agent are not used",
                 options.decoder);
  }
  const bool has_budget = takes_budget(*decoder);
  if (options.budget && !has_budget) {
    spdlog::warn("decoder {} has no budget; --budget is not used", options.decoder);
  }
  DecodingOptions decoding{.decoder = *decoder,
                           .budget = has_budget ? options.budget : std::nullopt,
                           .draft = draft,
                           .top_n = options.top_n,
                           .policy = policy};
  if (*decoder == DecoderKind::kRsd && !decoding.budget) decoding.budget = kDefaultBudget;
  return decoding;
}

}  // namespace rsd::cli
