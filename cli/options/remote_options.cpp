#include "options/remote_options.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "options/common_options.h"
#include "options/option_checks.h"

namespace rsd::cli {
namespace {

constexpr const char* kKeyVariable = "RSD_ENGINE_API_KEY";

}  // namespace

void add_remote_options(CLI::App& command, RemoteFlags& options) {
  const std::string group = "Remote engine";
  command
      .add_option(
          "--engine", options.engine,
          "Where the LLM runs: llama (here), vllm or sglang (on a server; --model is then the "
          "GGUF or tokenizer.json of the same model)")
      ->check(one_of({kLocalEngine, "vllm", "sglang"}))
      ->capture_default_str()
      ->type_name("NAME")
      ->group(group);
  command
      .add_option("--engine-url", options.urls,
                  "The server's address, http://HOST:PORT; may be given several times, for "
                  "replicas of the same model")
      ->allow_extra_args(false)
      ->check(not_empty())
      ->type_name("URL")
      ->group(group);
  command
      .add_option("--engine-model", options.model,
                  "The server's name for the model; without it the first that it names. The "
                  "server's key is taken from the environment, RSD_ENGINE_API_KEY")
      ->check(not_empty())
      ->type_name("NAME")
      ->group(group);
  command
      .add_flag("--engine-key-over-http", options.key_over_http,
                "Let the server's key go over plain http to other machines, and to proxies for "
                "this one, where others may read it")
      ->group(group);
  constexpr std::uint64_t kDay = 86'400'000;
  command
      .add_option("--engine-timeout-ms", options.timeout_ms,
                  "How long an answer of the server may take; then the question goes to another "
                  "one. Without it 60000")
      ->check(whole_number(1, kDay))
      ->type_name("MS")
      ->group(group);
}

Result<void> check_remote_options(const RemoteFlags& options) {
  const auto refuse = [](const std::string& message) {
    return Error(ErrorCode::kInvalidArgument, message);
  };
  if (options.is_remote() && options.urls.empty())
    return refuse("--engine " + options.engine + " needs --engine-url");
  if (!options.is_remote() && !options.urls.empty())
    return refuse("--engine-url is for --engine vllm or sglang");
  if (!options.is_remote() && !options.model.empty())
    return refuse("--engine-model is for --engine vllm or sglang");
  if (!options.is_remote() && options.key_over_http)
    return refuse("--engine-key-over-http is for --engine vllm or sglang");
  if (!options.is_remote() && options.timeout_ms)
    return refuse("--engine-timeout-ms is for --engine vllm or sglang");
  return {};
}

RemoteOptions remote_options(const RemoteFlags& options) {
  RemoteOptions remote;
  remote.server = options.engine == "sglang" ? RemoteServer::kSglang : RemoteServer::kVllm;
  remote.urls = options.urls;
  remote.model = options.model;
  remote.served = options.served;
  if (const char* key = std::getenv(kKeyVariable)) remote.api_key = key;
  if (options.key_over_http) remote.key_transport = KeyTransport::kAnyHttp;
  if (options.timeout_ms)
    remote.patience.answer_timeout = std::chrono::milliseconds(*options.timeout_ms);
  remote.log = log_sink();
  return remote;
}

}  // namespace rsd::cli
