#include "decoder_options.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "option_checks.h"
#include "rsd/agent/agent_file.h"
#include "rsd/agent/agent_policy.h"

namespace rsd::cli {
namespace {

constexpr std::size_t kMaxCount = 1'000'000;
constexpr double kMaxDeadlineMs = 1e9;  // eleven days; a clock can add it

std::string listed(const std::vector<std::string_view>& names) {
  std::string list;
  for (const auto name : names)
    list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
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
          "What orders the positions that are not known (rsd, exact): agent (with --agent, then "
          "the default), " +
              listed(policy_names()) + "; default: " + std::string(kDefaultPolicy))
      ->check(not_empty())
      ->type_name("NAME")
      ->group(group);
  add_agent_option(command, options.agent);
}

void add_agent_option(CLI::App& command, std::string& agent) {
  command.add_option("--agent", agent, "Learned policy, as rsd train makes it")
      ->check(not_empty())
      ->type_name("FILE")
      ->group("Decoding");
}

Result<std::shared_ptr<const RankingPolicy>> named_policy(const std::string& name,
                                                          const std::string& agent_path) {
  const bool wants_agent = name == kAgentPolicy || (name.empty() && !agent_path.empty());
  if (!wants_agent) {
    return policy_by_name(name.empty() ? std::string(kDefaultPolicy) : name);
  }
  if (agent_path.empty()) {
    return Error(ErrorCode::kInvalidArgument, "policy agent needs a file: --agent FILE");
  }
  auto agent = load_agent(agent_path);
  if (!agent) return agent.error();
  return agent_policy(std::move(agent->network));
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
  if (!options.agent.empty() && !options.policy.empty() && options.policy != kAgentPolicy) {
    return Error(ErrorCode::kInvalidArgument,
                 "--agent is not used with --policy " + options.policy + "; leave one out");
  }
  const auto policy = named_policy(options.policy, options.agent);
  if (!policy) return policy.error();
  const bool takes_budget = *decoder == DecoderKind::kRsd || *decoder == DecoderKind::kSd;
  if (options.budget && !takes_budget) {
    spdlog::warn("decoder {} has no budget; --budget is not used", options.decoder);
  }
  DecodingOptions decoding{.decoder = *decoder,
                           .budget = takes_budget ? options.budget : std::nullopt,
                           .draft = draft,
                           .top_n = options.top_n,
                           .policy = *policy};
  if (*decoder == DecoderKind::kRsd && !decoding.budget) decoding.budget = kDefaultBudget;
  return decoding;
}

}  // namespace rsd::cli
