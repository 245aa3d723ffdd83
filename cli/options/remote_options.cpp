#include "options/remote_options.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "options/flags.h"
#include "terminal/log.h"

namespace rsd::cli {
namespace {

constexpr const char* kKeyVariable = "RSD_ENGINE_API_KEY";

}  // namespace

void add_remote_options(CLI::App& command, RemoteFlags& options) {
  constexpr std::uint64_t kDay = 86'400'000;
  Flags flags(command, "Remote engine");
  flags.add({"--engine", "NAME",
             "Where the LLM runs: llama (here), vllm or sglang (on a server; --model is then the "
             "GGUF or tokenizer.json of the same model)"},
            options.engine, one_of({kLocalEngine, "vllm", "sglang"}));
  flags.add_repeated({"--engine-url", "URL",
                      "The server's address, http://HOST:PORT; may be given several times, for "
                      "replicas of the same model"},
                     options.urls, not_empty());
  flags.add({"--engine-model", "NAME",
             "The server's name for the model; without it the first that it names. The server's "
             "key is taken from the environment, RSD_ENGINE_API_KEY"},
            options.model, not_empty());
  flags.add_switch("--engine-key-over-http",
                   "Let the server's key go over plain http to other machines, and to proxies for "
                   "this one, where others may read it",
                   options.key_over_http);
  flags.add({"--engine-timeout-ms", "MS",
             "How long an answer of the server may take; then the question goes to another one. "
             "Without it 60000"},
            options.timeout_ms, whole_number(1, kDay));
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
