// The file format of an agent: GGUF with the keys below, all under the prefix "rsd.".
//
//   general.architecture          "rsd-agent"
//   rsd.agent.version             kAgentFileVersion; others are refused
//   rsd.agent.{d_model,n_heads,n_layers,d_feed_forward,d_pair,max_rounds}, .listwise,
//   .round_history
//   rsd.agent.features            the names of the features, in order; others are refused
//   rsd.agent.pair_features       likewise
//   rsd.training.*                notes on where it comes from, as text
//   tensors                       the weights, float32, by the names of WeightTensor
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "rsd/agent/relevance_network.h"
#include "rsd/core/result.h"

namespace rsd {

inline constexpr std::uint32_t kAgentFileVersion = 3;

// Notes on the training by name, without the prefix "rsd.training.": "model", "requests", "seed", …
using AgentNotes = std::map<std::string, std::string>;

struct AgentFile {
  RelevanceNetwork network;
  AgentNotes notes;
};

// Returns the file's content. Write it with write_file_atomically (core/file.h).
std::string serialised(const AgentFile& agent);

// kNotFound: no such file; kInvalidInput: not a GGUF, not an agent, damaged, truncated, another
// version, other features, or weights that are not finite. Messages name the path and the fault.
Result<AgentFile> load_agent(const std::string& path);

}  // namespace rsd
