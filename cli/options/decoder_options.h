// The options that choose how a request is decoded.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "options/window_flags.h"
#include "rsd/core/result.h"
#include "rsd/ranker/engine_options.h"
#include "rsd/ranker/named_policies.h"
#include "rsd/ranker/rank_options.h"

namespace rsd::cli {

struct DecoderFlags {
  std::string decoder = "rsd";
  std::optional<std::size_t> budget;
  std::optional<double> deadline_ms;
  std::optional<std::size_t> top_n;
  std::optional<double> min_score;
  std::string draft;   // empty = the decoder's default
  std::string policy;  // empty = the agent, see named_policies
  std::string agent;
};

// Returns a list of the text, without elements if the text is empty.
inline std::vector<std::string> listed(const std::string& text) {
  return text.empty() ? std::vector<std::string>() : std::vector{text};
}

inline constexpr std::string_view kAgentHelp =
    "Learned policy, as rsd train makes it; without it the project's own. Lists of more than 128 "
    "candidates are ordered by blend";

void add_decoder_options(CLI::App& command, DecoderFlags& options);

// The flags as the library takes them. kInvalidArgument: no such decoder, draft or window method,
// or windows that window_options refuses.
Result<RankOptions> rank_options(const DecoderFlags& decoder, const WindowFlags& windows);

// The policy and the agent that the flags name.
PolicyNames policy_names(const DecoderFlags& flags);
// Sets both in the engine's options, unless the decoder has no policy.
void set_policy(const DecoderFlags& flags, EngineOptions& options);

// Logs a warning for flags that the decoder doesn't use.
void warn_of_unused(const DecoderFlags& flags);

}  // namespace rsd::cli
