#include "commands/commands.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>

#include "options/flags.h"
#include "rsd/core/duration.h"
#include "rsd/rpc/rpc_gate.h"
#include "terminal/exit_code.h"
#include "terminal/log.h"

namespace rsd::cli {
namespace {

struct Options {
  RpcGateOptions gate;
  double idle_timeout_s = 0;
  std::uintmax_t cache_limit_mib = 65'536;
};

RpcGateOptions gate_options(const Options& options, const CommonOptions& common) {
  RpcGateOptions gate = options.gate;
  gate.server.threads = common.threads;
  gate.idle = std::chrono::duration_cast<std::chrono::milliseconds>(
      duration_of_ms(1000 * options.idle_timeout_s));
  gate.cache_bytes = options.cache_limit_mib << 20U;
  gate.retried_exit_code = kRuntimeFailure;
  gate.log = log_sink();
  return gate;
}

// RpcWorkerMain.
void serve_as_worker(const RpcServerOptions& options) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  int code = kRuntimeFailure;
  try {
    if (const auto stopped = serve_rpc(options); !stopped) code = fail(stopped.error());
  } catch (const std::exception& failure) {
    spdlog::error("ggml's RPC server failed: {}", failure.what());
  }
  std::fflush(stdout);
  std::_Exit(code);
}

Result<ExitCode> serve(const RpcGateOptions& options) {
  const RpcServerOptions& server = options.server;
  auto gate = RpcGate::listen(options, &serve_as_worker);
  if (!gate) return gate.error();
  if (!server.host.starts_with("127.")) {
    spdlog::warn(
        "everyone who reaches {}:{} can use this machine's memory, and what goes over the "
        "network can be read: trusted networks only",
        server.host, server.port);
  }
  // ggml prints at once where the worker listens, which nobody is to use.
  std::cerr << "rsd: listening on " << server.host << ':' << server.port
            << "; the endpoint below is the worker's\n";
  return static_cast<ExitCode>(gate->run().value_or(kSuccess));
}

}  // namespace

void add_rpc_server_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, selected, "rpc-server",
                  "Compute layers of other machines' models (their --rpc); trusted networks only");
  Flags flags(*command);
  flags.add({"-H,--host", "TEXT", "IPv4 address to listen at"}, options->gate.server.host,
            not_empty());
  flags.add({"-p,--port", "N", "Port to listen at"}, options->gate.server.port,
            whole_number(1, 65535));
  flags.add(
      {"--cache", "DIR", "Folder to keep large tensors in, so that they need not be sent again"},
      options->gate.server.cache, not_empty());
  Flags limits(*command, "Limits");
  limits.add(
      {"--waiting", "N", "Clients that may wait for their turn; those beyond are turned away"},
      options->gate.waiting, whole_number(1, 1000));
  limits.add({"--idle-timeout", "S",
              "Seconds without a byte after which a client is given up, which ends it; longer than "
              "the longest pass of an LLM, and than clients are idle; 0 = never"},
             options->idle_timeout_s, number_up_to(604'800));
  limits.add({"--cache-limit", "MIB",
              "MiB that --cache may have while no client is served: beyond, the oldest tensors are "
              "removed"},
             options->cache_limit_mib, whole_number(0, 1'000'000'000));
  set_run(*command, selected,
          [&selected, options] { return serve(gate_options(*options, selected.common)); });
}

}  // namespace rsd::cli
