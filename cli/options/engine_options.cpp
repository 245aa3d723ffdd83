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

#include "options/model_places.h"
#include "options/option_checks.h"
#include "rsd/core/check.h"
#include "rsd/llm/rpc_server.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

// "FILE:SCALE" where a number stands behind the last colon, else "FILE".
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

// By the names of the flags; the library has the same rules in its own words.
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
  if (flags.gpu_layers != 0) return refuse("--gpu-layers", "the server has its own settings");
  if (!flags.rpc_servers.empty()) return refuse("--rpc", "the server has its own machines");
  return {};
}

// For exit_with_message, which may be called while the process ends: never destroyed.
std::vector<std::string>& rpc_servers_in_use() {
  static auto& servers = *new std::vector<std::string>;
  return servers;
}

// ggml's only answer to a server that is lost is to end the process. It shall say so and exit as
// other failures do.
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
  const std::string group = "Model";
  command.add_option("-m,--model", options.model, "GGUF model; without it the default model")
      ->check(not_empty())
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--lora", options.loras,
                  "GGUF LoRA adapter; may be given several times. Without --model it takes the "
                  "place of the default model's own")
      ->allow_extra_args(false)
      ->check(not_empty())
      ->type_name("FILE[:SCALE]")
      ->group(group);
  command
      .add_option("-c,--ctx-size", options.context_size,
                  "Tokens that prompt and ranking may take; 0 = the model's, at most " +
                      std::to_string(kDefaultMaxContext))
      ->check(whole_number(0, std::numeric_limits<int>::max()))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  command
      .add_option("--ngl,--gpu-layers,--n-gpu-layers", options.gpu_layers,
                  "Layers kept on the GPU, or with --rpc on its machines, where 0 = all, too; "
                  "-1 = all")
      ->check(whole_number(-1, std::numeric_limits<int>::max()))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  command
      .add_option("--rpc", options.rpc_servers,
                  "Machines that compute the model's layers: addresses of `rsd rpc-server` or "
                  "ggml-rpc-server. Trusted networks only")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(not_empty())
      ->type_name("HOST:PORT,…")
      ->group(group);
  constexpr double kMaxShare = 1e9;
  command
      .add_option("--tensor-split", options.tensor_split,
                  "Shares of the layers, one for each server of --rpc, such as 3,1; without it by "
                  "their free memory")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(number_up_to(kMaxShare))
      ->type_name("SHARE,…")
      ->group(group);
  command
      .add_option(
          "--prompt-template", options.prompt_templates,
          "YAML template in place of the built-in one of its task; may be given several times")
      ->allow_extra_args(false)
      ->check(not_empty())
      ->type_name("FILE")
      ->group(group);
}

void add_cache_option(CLI::App& command, EngineFlags& options) {
  constexpr std::size_t kMaxMib = std::size_t{1} << 24U;
  command
      .add_option(
          "--cache-ram", options.cache_ram,
          "Memory for encoded prompts: what a later one has in common with one of them from "
          "its beginning on, if it is " +
              std::to_string(kMinReusedTokens) + " tokens or more, is not encoded again; 0 = none")
      ->check(whole_number(0, kMaxMib))
      ->capture_default_str()
      ->type_name("MIB")
      ->group("Model");
}

void settle_cache(const CLI::App& command, EngineFlags& options) {
  const bool is_named = command.get_option("--cache-ram")->count() > 0;
  if (!options.rpc_servers.empty() && !is_named) options.cache_ram = 0;
}

void add_parallel_option(CLI::App& command, EngineFlags& options) {
  command
      .add_option("--parallel", options.parallel,
                  "Requests that go through the LLM together, as many as fit into --ctx-size; "
                  "for models that llama.cpp keeps no partial cache of: 1. With vllm and sglang "
                  "the default is " +
                      std::to_string(kRemoteParallel))
      ->check(whole_number(1, kMaxParallel))
      ->capture_default_str()
      ->type_name("N")
      ->group("Model");
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
                        .reuse = flags.reuse,
                        .threads = common.threads,
                        .gpu_layers = flags.gpu_layers,
                        .rpc_servers = flags.rpc_servers,
                        .tensor_split = flags.tensor_split,
                        .places = model_places(),
                        .log = llama_log_sink()};
  if (flags.remote.is_remote()) options.remote = remote_options(flags.remote);
  return options;
}

Result<Conditions> engine_conditions(const EngineOptions& options) {
  const auto model = model_file(options);
  if (!model) return model.error();
  Conditions conditions{{"rsd", RSD_VERSION},
                        {"ctx-size", std::to_string(options.context_size)},
                        {"model", identity_of(*model)}};
  for (const auto& lora : options.loras)
    conditions["lora"] += identity_of(lora.path) + " x " + std::to_string(lora.scale) + "; ";
  for (const auto& file : options.prompt_templates)
    conditions["prompt-template"] += identity_of(file) + "; ";
  if (!options.remote) return conditions;
  RSD_CHECK(options.remote->served.has_value(), "a remote engine that was not asked");
  conditions["engine"] = options.remote->server == RemoteServer::kSglang ? "sglang" : "vllm";
  conditions["engine-model"] = options.remote->served->name;
  return conditions;
}

void report_lost_rpc_servers(const std::vector<std::string>& servers) {
  if (servers.empty()) return;
  rpc_servers_in_use() = servers;
  on_ggml_abort(&exit_with_message);
}

}  // namespace rsd::cli
