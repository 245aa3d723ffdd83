// The flags that choose the LLM and its prompt.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options/common_options.h"
#include "options/remote_options.h"
#include "rsd/core/result.h"
#include "rsd/llm/llama_engine.h"
#include "rsd/ranker/engine_options.h"

namespace rsd::cli {

struct EngineFlags {
  std::string model;
  std::vector<std::string> loras;  // FILE or FILE:SCALE
  std::size_t context_size = 0;
  int gpu_layers = 0;
  std::vector<std::string> rpc_servers;  // HOST:PORT
  std::vector<double> tensor_split;      // their shares of the layers
  std::size_t cache_ram = 0;  // MiB for prompts, of which later ones use the beginning again
  // For those in blocks; nullopt: as much.
  std::optional<std::size_t> block_cache_bytes;
  PromptReuseMode reuse = PromptReuseMode::kBeginnings;
  std::size_t parallel = 1;  // requests at a time
  std::vector<std::string> prompt_templates;
  std::string index;  // folder
  RemoteFlags remote;
};

void add_engine_options(CLI::App& command, EngineFlags& options);

// --parallel, for commands that serve several requests at a time. The value in `options` is the
// default for local LLMs.
void add_parallel_option(CLI::App& command, EngineFlags& options);
// Sets the default for remote LLMs if --parallel isn't given. To be called after parsing.
void settle_parallel(const CLI::App& command, EngineFlags& options);

// --cache-ram. The value in `options` is the default.
void add_cache_option(CLI::App& command, EngineFlags& options);
// If --cache-ram isn't given, sets 0 with --rpc, since each copy would be fetched from the RPC
// servers, and else the library's default for prompts in blocks. To be called after parsing.
void settle_cache(const CLI::App& command, EngineFlags& options);

// --index, for commands that rank.
void add_index_option(CLI::App& command, EngineFlags& options);

// Parses the values of --lora. kInvalidArgument: a scale that isn't finite.
Result<std::vector<LoraFile>> parse_loras(const std::vector<std::string>& texts);

// The flags as the library takes them, without a policy. kInvalidArgument: flags that contradict
// each other, or an adapter's scale that isn't finite; else the errors of CandidateIndex::open.
// If an RPC server is lost, ggml ends the process; from now on with a message and the exit code of
// failures at run time.
Result<EngineOptions> engine_options(const EngineFlags& flags, const CommonOptions& common);

}  // namespace rsd::cli
