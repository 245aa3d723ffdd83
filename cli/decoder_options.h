// The options that choose how a request is decoded.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

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
  std::string policy;  // empty = the agent where one is given, else kDefaultPolicy
  std::string agent;
};

// The policy that --policy and --agent name together: "agent" is that of the file, which without a
// name is taken. kInvalidArgument: no such policy, or "agent" without a file; else as load_agent.
Result<std::shared_ptr<const RankingPolicy>> named_policy(const std::string& name,
                                                          const std::string& agent_path);
void add_agent_option(CLI::App& command, std::string& agent);

void add_decoder_options(CLI::App& command, DecoderOptions& options);

// Names looked up, defaults filled in. kInvalidArgument as in the lookups.
Result<DecodingOptions> decoding_options(const DecoderOptions& options);

}  // namespace rsd::cli
