#include "commands/commands.h"

#include <spdlog/spdlog.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>

#include "commands/rpc_gate.h"
#include "commands/rpc_worker.h"
#include "options/flags.h"
#include "rsd/core/duration.h"
#include "rsd/llm/rpc_server.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

struct Options {
  RpcServerOptions worker;
  std::size_t waiting = 16;
  double idle_timeout_s = 0;
  std::uintmax_t cache_limit_mib = 65'536;
};

RpcGateOptions gate_options(const Options& options) {
  return {.host = options.worker.host,
          .port = options.worker.port,
          .waiting = options.waiting,
          .idle = std::chrono::duration_cast<std::chrono::milliseconds>(
              duration_of_ms(1000 * options.idle_timeout_s)),
          .cache = options.worker.cache,
          .cache_bytes = options.cache_limit_mib << 20U};
}

Result<ExitCode> serve(const Options& wanted, const CommonOptions& common) {
  RpcServerOptions options = wanted.worker;
  options.threads = common.threads;
  std::error_code ignored;
  if (!options.cache.empty() && !std::filesystem::is_directory(options.cache, ignored))
    return Error(ErrorCode::kNotFound, options.cache + " is no folder");
  if (!options.host.starts_with("127.")) {
    spdlog::warn(
        "everyone who reaches {}:{} can use this machine's memory, and what goes over the "
        "network can be read: trusted networks only",
        options.host, options.port);
  }
  RpcWorker worker(options);
  RpcGate gate(gate_options(wanted), worker);
  if (auto listens = gate.listen(); !listens) return listens.error();
  // ggml says at once where the worker listens, which nobody is to use.
  std::cerr << "rsd: listening on " << options.host << ':' << options.port
            << "; the endpoint below is the worker's\n";
  return gate.run();
}

}  // namespace

void add_rpc_server_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, selected, "rpc-server",
                  "Compute layers of other machines' models (their --rpc); trusted networks only");
  Flags flags(*command);
  flags.add({"-H,--host", "TEXT", "IPv4 address to listen at"}, options->worker.host, not_empty());
  flags.add({"-p,--port", "N", "Port to listen at"}, options->worker.port, whole_number(1, 65535));
  flags.add(
      {"--cache", "DIR", "Folder to keep large tensors in, so that they need not be sent again"},
      options->worker.cache, not_empty());
  Flags limits(*command, "Limits");
  limits.add(
      {"--waiting", "N", "Clients that may wait for their turn; those beyond are turned away"},
      options->waiting, whole_number(1, 1000));
  limits.add({"--idle-timeout", "S",
              "Seconds without a byte after which a client is given up, which ends it; longer than "
              "the longest pass of an LLM, and than clients are idle; 0 = never"},
             options->idle_timeout_s, number_up_to(604'800));
  limits.add({"--cache-limit", "MIB",
              "MiB that --cache may have while no client is served: beyond, the oldest tensors are "
              "removed"},
             options->cache_limit_mib, whole_number(0, 1'000'000'000));
  set_run(*command, selected, [&selected, options] { return serve(*options, selected.common); });
}

}  // namespace rsd::cli
