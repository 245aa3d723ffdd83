#include "options/engine_options.h"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <system_error>
#include <utility>

#include "options/flags.h"
#include "options/model_places.h"
#include "rsd/llm/rpc_server.h"
#include "terminal/exit_code.h"
#include "terminal/log.h"

namespace rsd::cli {
namespace {

// "FILE:SCALE" if a number follows the last colon, else "FILE".
Result<LoraFile> parse_lora(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon + 1 < text.size()) {
    float scale = 0;
    const char* end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data() + colon + 1, end, scale);
    if (failure == std::errc() && rest == end) {
      if (!std::isfinite(scale)) {
        return Error(ErrorCode::kInvalidArgument, "--lora " + text + ": the scale isn't finite");
      }
      return LoraFile{.path = text.substr(0, colon), .scale = scale};
    }
  }
  return LoraFile{.path = text};
}

// Requests at a time, by default for a remote engine: servers make batches of them.
constexpr std::size_t kRemoteParallel = 16;

// Messages name the flags; the library has the same rules for its options.
Result<void> check_flags(const EngineFlags& flags) {
  const auto refuse = [&](const std::string& option, const std::string& instead) {
    return Error(ErrorCode::kInvalidArgument,
                 option + " is for --engine llama; with " + flags.remote.engine + " " + instead);
  };
  if (!flags.tensor_split.empty() && flags.rpc_servers.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "--tensor-split is for --rpc: shares of the layers of its servers");
  }
  if (!flags.remote.is_remote()) return {};
  if (!flags.loras.empty())
    return refuse("--lora", "the server applies adapters, under names of --engine-model");
  if (!flags.index.empty()) return refuse("--index", "blocks are the server's own affair");
  if (flags.gpu_layers != 0) return refuse("--gpu-layers", "the server has its own settings");
  if (!flags.rpc_servers.empty()) return refuse("--rpc", "the server has its own machines");
  return {};
}

// Never destroyed: exit_with_message may be called while the process ends.
std::vector<std::string>& rpc_servers_in_use() {
  static auto& servers = *new std::vector<std::string>;
  return servers;
}

// If a server is lost, ggml ends the process. This reports the reason and exits with the code of
// other failures.
void exit_with_message(const char* message) {
  const auto& servers = rpc_servers_in_use();
  if (const auto lost = unreachable_rpc_servers(servers); !lost.empty()) {
    spdlog::critical("lost RPC server {}: {}", fmt::join(lost, ", "), message);
  } else {
    spdlog::critical("an RPC server is lost (of {}), or ggml fails: {}", fmt::join(servers, ", "),
                     message);
  }
  spdlog::default_logger()->flush();
  std::cout.flush();
  std::_Exit(kRuntimeFailure);
}

void report_lost_rpc_servers(const std::vector<std::string>& servers) {
  if (servers.empty()) return;
  rpc_servers_in_use() = servers;
  on_ggml_abort(&exit_with_message);
}

}  // namespace

Result<std::vector<LoraFile>> parse_loras(const std::vector<std::string>& texts) {
  std::vector<LoraFile> loras;
  for (const auto& text : texts) {
    auto lora = parse_lora(text);
    if (!lora) return lora.error();
    loras.push_back(*std::move(lora));
  }
  return loras;
}

void add_engine_options(CLI::App& command, EngineFlags& options) {
  constexpr double kMaxShare = 1e9;
  constexpr int kMax = std::numeric_limits<int>::max();
  Flags flags(command, "Model");
  flags.add({"-m,--model", "FILE",
             "GGUF model, or default-blocks (docs/blocks.md); without it the default model"},
            options.model, not_empty());
  flags.add_repeated(
      {"--lora", "FILE[:SCALE]",
       "GGUF LoRA adapter; may be given several times. Without --model it takes the place of the "
       "default model's own"},
      options.loras, not_empty());
  flags.add({"-c,--ctx-size", "N",
             "Tokens that prompt and ranking may take; 0 = the model's, at most " +
                 std::to_string(kDefaultMaxContext)},
            options.context_size, whole_number(0, kMax));
  flags.add({"--ngl,--gpu-layers,--n-gpu-layers", "N",
             "Layers kept on the GPU, or with --rpc on its machines, where 0 = all, too; -1 = all"},
            options.gpu_layers, whole_number(-1, kMax));
  flags.add_list({"--rpc", "HOST:PORT,…",
                  "Machines that compute the model's layers: addresses of `rsd rpc-server` or "
                  "ggml-rpc-server. Trusted networks only"},
                 options.rpc_servers, not_empty());
  flags.add_list({"--tensor-split", "SHARE,…",
                  "Shares of the layers, one for each server of --rpc, such as 3,1; without it by "
                  "their free memory"},
                 options.tensor_split, number_up_to(kMaxShare));
  flags.add_repeated(
      {"--prompt-template", "FILE",
       "YAML template in place of the built-in one of its task; may be given several times"},
      options.prompt_templates, not_empty());
}

void add_cache_option(CLI::App& command, EngineFlags& options) {
  constexpr std::size_t kMaxMib = std::size_t{1} << 24U;
  Flags(command, "Model")
      .add({"--cache-ram", "MIB",
            "Memory for encoded prompts: what a later one has in common with one of them from its "
            "beginning on, if it is " +
                std::to_string(kMinReusedTokens) +
                " tokens or more, is not encoded again; 0 = none. For prompts in blocks as much "
                "again, and without this option 512, or an eighth of the machine's memory where "
                "that is less"},
           options.cache_ram, whole_number(0, kMaxMib));
}

void add_index_option(CLI::App& command, EngineFlags& options) {
  Flags(command, "Model")
      .add({"--index", "DIR",
            "Folder that `rsd index` has written: candidates that are in it are not encoded, and "
            "may be given by their ids alone"},
           options.index, not_empty());
}

void settle_cache(const CLI::App& command, EngineFlags& options) {
  const bool is_named = command.get_option("--cache-ram")->count() > 0;
  if (is_named) return;
  if (options.rpc_servers.empty()) {
    options.block_cache_bytes = default_block_cache_bytes();
  } else {
    options.cache_ram = 0;
  }
}

void add_parallel_option(CLI::App& command, EngineFlags& options) {
  Flags(command, "Model")
      .add({"--parallel", "N",
            "Requests that go through the LLM together, as many as fit into --ctx-size; for models "
            "that llama.cpp keeps no partial cache of: 1. With vllm and sglang the default is " +
                std::to_string(kRemoteParallel)},
           options.parallel, whole_number(1, kMaxParallel));
}

void settle_parallel(const CLI::App& command, EngineFlags& options) {
  const bool is_named = command.get_option("--parallel")->count() > 0;
  if (options.remote.is_remote() && !is_named) options.parallel = kRemoteParallel;
}

Result<EngineOptions> engine_options(const EngineFlags& flags, const CommonOptions& common) {
  if (auto sensible = check_remote_options(flags.remote); !sensible) return sensible.error();
  if (auto sensible = check_flags(flags); !sensible) return sensible.error();
  auto loras = parse_loras(flags.loras);
  if (!loras) return loras.error();
  EngineOptions options{.model = flags.model,
                        .loras = *std::move(loras),
                        .prompt_templates = flags.prompt_templates,
                        .context_size = flags.context_size,
                        .parallel = flags.parallel,
                        .prompt_cache_bytes = flags.cache_ram << 20U,
                        .block_cache_bytes = flags.block_cache_bytes,
                        .index = nullptr,
                        .reuse = flags.reuse,
                        .threads = common.threads,
                        .gpu_layers = flags.gpu_layers,
                        .rpc_servers = flags.rpc_servers,
                        .tensor_split = flags.tensor_split,
                        .places = model_places(),
                        .log = llama_log_sink()};
  if (flags.remote.is_remote()) options.remote = remote_options(flags.remote);
  report_lost_rpc_servers(options.rpc_servers);
  if (flags.index.empty()) return options;
  auto index = CandidateIndex::open(flags.index);
  if (!index) return index.error().within("--index");
  options.index = *std::move(index);
  return options;
}

}  // namespace rsd::cli
