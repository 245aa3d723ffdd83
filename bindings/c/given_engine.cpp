#include "bindings/c/given_engine.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "bindings/c/error_object.h"
#include "bindings/c/given_request.h"
#include "bindings/c/sized_struct.h"

namespace rsd::bindings {
namespace {

rsd_log_level level_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return RSD_LOG_DEBUG;
    case LogLevel::kInfo:
      return RSD_LOG_INFO;
    case LogLevel::kWarning:
      return RSD_LOG_WARNING;
    case LogLevel::kError:
      return RSD_LOG_ERROR;
  }
  return RSD_LOG_ERROR;
}

Result<int> at_least(int number, int least, const char* name) {
  if (number >= least) return number;
  return invalid_argument(std::string(name) + " is " + std::to_string(number) +
                          "; it must be at least " + std::to_string(least));
}

Result<std::vector<LoraFile>> loras_of(const rsd_engine_options& given) {
  auto paths = given_strings(given.loras, given.n_loras, "options.loras");
  if (!paths) return paths.error();
  std::vector<LoraFile> loras;
  for (std::size_t i = 0; i < paths->size(); ++i) {
    const float scale = given.lora_scales != nullptr ? given.lora_scales[i] : 1.0F;
    if (!std::isfinite(scale)) {
      return invalid_argument("options.lora_scales[" + std::to_string(i) + "] is " +
                              std::to_string(scale));
    }
    loras.push_back({.path = std::move((*paths)[i]), .scale = scale});
  }
  return loras;
}

Result<void> set_files(const rsd_engine_options& given, EngineOptions& options) {
  std::string models_folder;
  const std::pair<const char*, std::pair<const char*, std::string*>> strings[] = {
      {"options.model", {given.model, &options.model}},
      {"options.agent", {given.agent, &options.agent}},
      {"options.policy", {given.policy, &options.policy}},
      {"options.models_folder", {given.models_folder, &models_folder}},
      {"options.cache_folder", {given.cache_folder, &options.places.cache_folder}}};
  for (const auto& [name, string] : strings) {
    auto copy = given_string(string.first, name);
    if (!copy) return copy.error();
    *string.second = *std::move(copy);
  }
  if (!models_folder.empty()) options.places.models_folders = {models_folder};
  auto loras = loras_of(given);
  if (!loras) return loras.error();
  options.loras = *std::move(loras);
  auto templates =
      given_strings(given.prompt_templates, given.n_prompt_templates, "options.prompt_templates");
  if (!templates) return templates.error();
  options.prompt_templates = *std::move(templates);
  return {};
}

// 0 is the default, -1 none.
Result<std::optional<std::size_t>> bytes_of(int mib, const char* name) {
  const auto checked = at_least(mib, -1, name);
  if (!checked) return checked.error();
  if (mib == 0) return std::optional<std::size_t>();
  return std::optional(mib < 0 ? 0 : static_cast<std::size_t>(mib) << 20U);
}

Result<void> set_resources(const rsd_engine_options& given, EngineOptions& options) {
  const auto context = given_number(given.context_tokens, "options.context_tokens");
  const auto parallel = given_number(given.parallel, "options.parallel");
  const auto threads = at_least(given.threads, 0, "options.threads");
  const auto gpu_layers = at_least(given.gpu_layers, -1, "options.gpu_layers");
  const auto prompts = bytes_of(given.prompt_cache_mib, "options.prompt_cache_mib");
  const auto blocks = bytes_of(given.block_cache_mib, "options.block_cache_mib");
  if (!context) return context.error();
  if (!parallel) return parallel.error();
  if (!threads) return threads.error();
  if (!gpu_layers) return gpu_layers.error();
  if (!prompts) return prompts.error();
  if (!blocks) return blocks.error();
  options.context_size = *context;
  options.parallel = *parallel;
  options.threads = *threads;
  options.gpu_layers = *gpu_layers;
  options.prompt_cache_bytes = *prompts;
  options.block_cache_bytes = *blocks;
  if (given.reuse_whole_prompts_only != 0) options.reuse = PromptReuseMode::kWholePrompts;
  return {};
}

Result<void> set_remote(const rsd_engine_options& given, EngineOptions& options) {
  auto urls = given_strings(given.remote_urls, given.n_remote_urls, "options.remote_urls");
  if (!urls) return urls.error();
  auto server = given_string(given.remote_server, "options.remote_server");
  auto model = given_string(given.remote_model, "options.remote_model");
  auto key = given_string(given.remote_api_key, "options.remote_api_key");
  if (!server) return server.error();
  if (!model) return model.error();
  if (!key) return key.error();
  if (urls->empty() && server->empty() && model->empty() && key->empty()) return {};
  if (urls->empty()) return invalid_argument("a remote LLM needs options.remote_urls");
  if (*server != "vllm" && *server != "sglang") {
    return invalid_argument("options.remote_server is \"" + *server +
                            "\"; it must be vllm or sglang");
  }
  options.remote =
      RemoteOptions{.server = *server == "vllm" ? RemoteServer::kVllm : RemoteServer::kSglang,
                    .urls = *std::move(urls),
                    .model = *std::move(model),
                    .api_key = *std::move(key)};
  return {};
}

Result<void> set_log(const rsd_engine_options& given, GivenEngine& engine) {
  if (given.log == nullptr) return {};
  engine.log = std::make_shared<LogTarget>(given.log, given.log_data);
  const LogSink sink = [target = engine.log](LogLevel level, std::string_view line) {
    target->write(level, line);
  };
  engine.options.log = sink;
  engine.options.places.log = sink;
  if (engine.options.remote) engine.options.remote->log = sink;
  return {};
}

}  // namespace

void LogTarget::write(LogLevel level, std::string_view line) {
  const std::string text(line);
  const MutexLock lock(mutex_);
  if (function_ != nullptr) function_(level_of(level), text.c_str(), data_);
}

void LogTarget::detach() {
  const MutexLock lock(mutex_);
  function_ = nullptr;
}

Result<GivenEngine> given_engine(const rsd_engine_options* options) {
  GivenEngine engine;
  if (options == nullptr) return engine;
  const auto given = read_struct(options, "options");
  if (!given) return given.error();
  for (const auto set : {&set_files, &set_resources, &set_remote})
    if (auto done = set(*given, engine.options); !done) return done.error();
  if (!std::isfinite(given->longest_pass_ms) || given->longest_pass_ms < 0) {
    return invalid_argument("options.longest_pass_ms is " + std::to_string(given->longest_pass_ms) +
                            "; it must be above 0, or 0 for no limit");
  }
  if (given->longest_pass_ms > 0) {
    const double ms = std::min(std::ceil(given->longest_pass_ms), 1e9);
    engine.longest_pass = std::chrono::milliseconds(static_cast<long long>(ms));
  }
  if (auto done = set_log(*given, engine); !done) return done.error();
  return engine;
}

}  // namespace rsd::bindings
