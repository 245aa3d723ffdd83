#include "options/decoder_options.h"

#include <spdlog/spdlog.h>

#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/agent/agent_policy.h"
#include "rsd/decode/policies.h"

namespace rsd::cli {
namespace {

constexpr double kMaxDeadlineMs = 1e9;  // eleven days; a clock can add it

std::string joined(const std::vector<std::string_view>& names) {
  std::string list;
  for (const auto name : names)
    list += (list.empty() ? "" : ", ") + std::string(name);
  return list;
}

}  // namespace

void add_decoder_options(CLI::App& command, DecoderFlags& options) {
  Flags flags(command, "Decoding");
  flags.add({"--decoder", "NAME", "rsd, exact, sd, std or ar"}, options.decoder);
  flags.add({"--budget", "T",
             "LLM encodings a request, the prompt's included (for rsd, default: " +
                 std::to_string(kDefaultBudget) + "; for sd, default: none)"},
            options.budget, whole_number(1, kMaxCount));
  flags.add({"--deadline-ms", "MS",
             "Milliseconds for a request; then the best ranking so far is returned"},
            options.deadline_ms, positive_number(kMaxDeadlineMs));
  flags.add({"--top-n", "N", "Stop as soon as the first N positions are known"}, options.top_n,
            whole_number(1, kMaxCount));
  flags.add({"--min-score", "P",
             "List only candidates that are relevant with this probability or a higher one, for "
             "LLMs that read relevance (docs/blocks.md)"},
            options.min_score, number_up_to(1));
  flags.add({"--draft", "NAME",
             "What the first encoding carries behind the prompt: first-token (nothing) or input "
             "(the input order); default: input for rsd with a budget of 1, else first-token"},
            options.draft, not_empty());
  flags.add({"--policy", "NAME",
             "What orders the positions that are not known (rsd, exact): agent (the learned one, "
             "the default), " +
                 joined(rsd::policy_names()) +
                 "; where no agent is found: " + std::string(kDefaultPolicy)},
            options.policy, not_empty());
  flags.add({"--agent", "FILE", std::string(kAgentHelp)}, options.agent, not_empty());
}

Result<RankOptions> rank_options(const DecoderFlags& decoder, const WindowFlags& windows) {
  RankOptions options{
      .budget = decoder.budget, .top_n = decoder.top_n, .min_score = decoder.min_score};
  const auto kind = parse_decoder(decoder.decoder);
  if (!kind) return kind.error();
  options.decoder = *kind;
  if (!decoder.draft.empty()) {
    const auto draft = parse_draft(decoder.draft);
    if (!draft) return draft.error();
    options.draft = *draft;
  }
  if (decoder.deadline_ms) options.deadline.emplace(*decoder.deadline_ms);
  auto choice = window_choice(windows);
  if (!choice) return choice.error();
  options.windows = *choice;
  if (auto sensible = check(options); !sensible) return sensible.error();
  return options;
}

PolicyNames policy_names(const DecoderFlags& flags) {
  return {.names = listed(flags.policy), .agents = listed(flags.agent), .places = model_places()};
}

void set_policy(const DecoderFlags& flags, EngineOptions& options) {
  const auto decoder = parse_decoder(flags.decoder);
  if (decoder && !uses_policy(*decoder)) return;
  options.policy = flags.policy;
  options.agent = flags.agent;
}

void warn_of_unused(const DecoderFlags& flags) {
  const auto decoder = parse_decoder(flags.decoder);
  if (!decoder) return;
  if (!uses_policy(*decoder) && !(flags.policy.empty() && flags.agent.empty())) {
    spdlog::warn("decoder {} orders by no policy; --policy and --agent are not used",
                 flags.decoder);
  }
  if (flags.budget && !takes_budget(*decoder))
    spdlog::warn("decoder {} has no budget; --budget is not used", flags.decoder);
}

}  // namespace rsd::cli
