// The options that choose how a request is decoded.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/core/result.h"
#include "rsd/decode/decoding.h"
#include "rsd/decode/policies.h"

namespace rsd::cli {

inline constexpr std::size_t kDefaultBudget = 3;

struct DecoderOptions {
  std::string decoder = "rsd";
  std::optional<std::size_t> budget;
  std::optional<double> deadline_ms;
  std::optional<std::size_t> top_n;
  std::string draft;   // empty = the decoder's default
  std::string policy;  // empty = the agent, see named_policies
  std::string agent;
};

using Policies = std::vector<std::shared_ptr<const RankingPolicy>>;

// What --policy and --agent name together, at least one. "agent" stands for the agents of the
// files, or for the project's own; without a name these are taken, and where there are none
// kDefaultPolicy. kInvalidArgument: no such policy, "agent" without a file, files that are not
// used, or two of the same name; else as load_agent.
Result<Policies> named_policies(const std::vector<std::string>& names,
                                const std::vector<std::string>& agents);

// The files that these agents come from; none where no agent is used.
std::vector<std::string> agent_files(const std::vector<std::string>& names,
                                     const std::vector<std::string>& agents);

// An option that may be given once, as a list of what is given.
inline std::vector<std::string> listed(const std::string& text) {
  return text.empty() ? std::vector<std::string>() : std::vector{text};
}

inline constexpr std::string_view kAgentHelp =
    "Learned policy, as rsd train makes it; without it the project's own. Lists of more than 128 "
    "candidates are ordered by blend";

void add_decoder_options(CLI::App& command, DecoderOptions& options);

// Names looked up, defaults filled in. kInvalidArgument as in the lookups.
Result<DecodingOptions> decoding_options(const DecoderOptions& options);

}  // namespace rsd::cli
