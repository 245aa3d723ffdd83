// The flags that choose the LLM and its prompt.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "options/common_options.h"
#include "options/remote_options.h"
#include "rsd/core/result.h"
#include "rsd/data/resumable_output.h"
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
  PromptReuseMode reuse = PromptReuseMode::kBeginnings;
  std::size_t parallel = 1;  // requests at a time
  std::vector<std::string> prompt_templates;
  RemoteFlags remote;
};

void add_engine_options(CLI::App& command, EngineFlags& options);

// --parallel, for commands that serve several requests at a time; what `options` holds is the
// default of local LLMs.
void add_parallel_option(CLI::App& command, EngineFlags& options);
// That of remote LLMs, where the user named none. To be called when all options are known.
void settle_parallel(const CLI::App& command, EngineFlags& options);

// --cache-ram; what `options` holds is the default.
void add_cache_option(CLI::App& command, EngineFlags& options);
// None with --rpc, where the user named nothing: each copy would be fetched from its machines. To
// be called when all options are known.
void settle_cache(const CLI::App& command, EngineFlags& options);

// What --lora names. kInvalidArgument: a scale that isn't finite.
Result<std::vector<LoraFile>> parse_loras(const std::vector<std::string>& texts);

// The flags as the library takes them, without a policy. kInvalidArgument: flags that contradict
// each other, or an adapter's scale that isn't finite.
Result<EngineOptions> engine_options(const EngineFlags& flags, const CommonOptions& common);

// What rankings depend on besides the requests and the decoder: the files by name, size and time of
// their last change, a remote LLM by its server's name for it, and this version of rsd. Kept with
// unfinished results and compared when they are resumed. kNotFound where no model is named and the
// default one is missing; a remote engine must have been asked (with_served_model).
Result<Conditions> engine_conditions(const EngineOptions& options);

// Where an RPC server is lost, ggml ends the process: from here on with a message and the exit code
// of failures at run time.
void report_lost_rpc_servers(const std::vector<std::string>& servers);

}  // namespace rsd::cli
