#include "engine_options.h"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <limits>
#include <system_error>
#include <utility>

#include "exit_code.h"
#include "model_store.h"
#include "option_checks.h"
#include "prepared_model.h"
#include "rsd/core/check.h"
#include "rsd/llm/load_tokenizer.h"
#include "rsd/llm/rpc_server.h"

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

// The default model has the project's adapter in it: a user's own takes its place.
Result<std::string> model_path(const EngineOptions& options) {
  if (!options.model.empty()) return checked_model(options.model);
  return options.loras.empty() ? default_model() : base_model();
}

Result<PromptTemplates> load_templates(const std::vector<std::string>& files) {
  PromptTemplates templates;
  for (const auto& file : files) {
    auto loaded = PromptTemplate::load(file);
    if (!loaded) return loaded.error();
    templates.set(*std::move(loaded));
  }
  return templates;
}

// Where the user named none, those of the layout that the model is tuned for.
Result<PromptTemplates> templates_for(const ModelInfo& model, PromptTemplates templates) {
  if (model.prompt_layout) templates.set_default_layout(*model.prompt_layout);
  if (!templates.has_blocks() || model.why_no_blocks.empty()) return templates;
  return Error(ErrorCode::kUnsupported, "model " + model.path + " takes no prompts in blocks (" +
                                            "layout: blocks): " + model.why_no_blocks);
}

// Requests at a time, where a remote engine is not told how many: servers make batches of them.
constexpr std::size_t kRemoteParallel = 16;

Result<void> check_options(const EngineOptions& options) {
  if (auto sensible = check_remote_options(options.remote); !sensible) return sensible;
  if (!options.tensor_split.empty() && options.rpc_servers.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "--tensor-split is for --rpc: shares of the layers of its servers");
  }
  if (!options.remote.is_remote()) return {};
  const auto refuse = [&](const std::string& option, const std::string& instead) {
    return Error(ErrorCode::kInvalidArgument,
                 option + " is for --engine llama; with " + options.remote.engine + " " + instead);
  };
  if (!options.loras.empty())
    return refuse("--lora", "the server applies adapters, under names of --engine-model");
  if (options.gpu_layers != 0) return refuse("--gpu-layers", "the server has its own settings");
  if (!options.rpc_servers.empty()) return refuse("--rpc", "the server has its own machines");
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

void add_engine_options(CLI::App& command, EngineOptions& options) {
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

void add_cache_option(CLI::App& command, EngineOptions& options) {
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

void settle_cache(const CLI::App& command, EngineOptions& options) {
  const bool is_named = command.get_option("--cache-ram")->count() > 0;
  if (!options.rpc_servers.empty() && !is_named) options.cache_ram = 0;
}

void add_parallel_option(CLI::App& command, EngineOptions& options) {
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

void settle_parallel(const CLI::App& command, EngineOptions& options) {
  const bool is_named = command.get_option("--parallel")->count() > 0;
  if (options.remote.is_remote() && !is_named) options.parallel = kRemoteParallel;
}

Result<EngineOptions> with_served_model(EngineOptions options) {
  if (auto sensible = check_options(options); !sensible) return sensible.error();
  if (!options.remote.is_remote()) return options;
  auto served = RemoteEngine::served_model(remote_options(options.remote));
  if (!served) return served.error();
  options.remote.served = *std::move(served);
  return options;
}

Result<Conditions> engine_conditions(const EngineOptions& options) {
  const auto model = model_path(options);
  if (!model) return model.error();
  const auto loras = parse_loras(options.loras);
  if (!loras) return loras.error();
  Conditions told{{"rsd", RSD_VERSION},
                  {"ctx-size", std::to_string(options.context_size)},
                  {"model", identity_of(*model)}};
  for (const auto& lora : *loras) {
    told["lora"] += identity_of(lora.path) + " x " + std::to_string(lora.scale) + "; ";
  }
  for (const auto& file : options.prompt_templates) {
    told["prompt-template"] += identity_of(file) + "; ";
  }
  if (!options.remote.is_remote()) return told;
  RSD_CHECK(options.remote.served.has_value(), "a remote engine that was not asked");
  told["engine"] = options.remote.engine;
  told["engine-model"] = options.remote.served->name;
  return told;
}

Result<Engine> Engine::load(const EngineOptions& options, const CommonOptions& common) {
  if (auto sensible = check_options(options); !sensible) return sensible.error();
  const auto templates = load_templates(options.prompt_templates);
  if (!templates) return templates.error();
  return options.remote.is_remote() ? connect(options, *templates)
                                    : load_local(options, common, *templates);
}

Result<Engine> Engine::load_local(const EngineOptions& options, const CommonOptions& common,
                                  const PromptTemplates& templates) {
  auto model = model_path(options);
  if (!model) return model.error();
  auto loras = parse_loras(options.loras);
  if (!loras) return loras.error();
  const LlamaOptions llama{.model_path = *std::move(model),
                           .loras = *std::move(loras),
                           .context_size = options.context_size,
                           .prompt_cache_bytes = options.cache_ram << 20U,
                           .reuse = options.reuse,
                           .parallel = options.parallel,
                           .threads = common.threads,
                           .gpu_layers = options.gpu_layers,
                           .rpc_servers = options.rpc_servers,
                           .tensor_split = options.tensor_split,
                           .log = llama_log_sink()};
  if (!options.rpc_servers.empty()) {
    rpc_servers_in_use() = options.rpc_servers;
    on_ggml_abort(&exit_with_message);
  }
  auto llm = LlamaEngine::load(llama);
  if (!llm) return llm.error();
  auto chosen = templates_for((*llm)->info(), templates);
  if (!chosen) return chosen.error();
  PromptBuilder prompts((*llm)->tokenizer(), *chosen);
  LlamaEngine* const local = llm->get();
  return Engine(*std::move(llm), local, std::move(prompts));
}

Result<Engine> Engine::connect(const EngineOptions& options, const PromptTemplates& templates) {
  const auto model = model_path(options);
  if (!model) return model.error();
  auto tokenizer = load_tokenizer(*model, llama_log_sink());
  if (!tokenizer) return tokenizer.error();
  RemoteOptions remote = remote_options(options.remote);
  remote.tokenizer = *std::move(tokenizer);
  remote.context_size = options.context_size;
  remote.parallel = options.parallel;
  auto llm = RemoteEngine::connect(std::move(remote));
  if (!llm) return llm.error();
  PromptBuilder prompts((*llm)->tokenizer(), templates);
  return Engine(*std::move(llm), nullptr, std::move(prompts));
}

std::string Engine::short_name() const {
  if (!local_) return llm_->model_name();
  return std::filesystem::path(llm_->model_name()).stem().string();
}

Result<Engine::Opened> Engine::open(const Request& request) {
  auto prompt = prompts_.build(request, llm_->context_size());
  if (!prompt) return prompt.error();
  Opened opened{.truncated_candidates = prompt->truncated_candidates};
  auto scorer = llm_->open(*std::move(prompt));
  if (!scorer) return scorer.error();
  opened.scorer = *std::move(scorer);
  return opened;
}

}  // namespace rsd::cli
