#include "commands/rpc_server_command.h"

#include <spdlog/spdlog.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>

#include "commands/rpc_gate.h"
#include "commands/rpc_worker.h"
#include "options/option_checks.h"
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

int serve(const Options& wanted, const CommonOptions& common) {
  RpcServerOptions options = wanted.worker;
  options.threads = common.threads;
  std::error_code ignored;
  if (!options.cache.empty() && !std::filesystem::is_directory(options.cache, ignored))
    return fail(Error(ErrorCode::kNotFound, options.cache + " is no folder"));
  if (!options.host.starts_with("127.")) {
    spdlog::warn(
        "everyone who reaches {}:{} can use this machine's memory, and what goes over the "
        "network can be read: trusted networks only",
        options.host, options.port);
  }
  RpcWorker worker(options);
  RpcGate gate(gate_options(wanted), worker);
  if (auto listens = gate.listen(); !listens) return fail(listens.error());
  // ggml says at once where the worker listens, which nobody is to use.
  std::cerr << "rsd: listening on " << options.host << ':' << options.port
            << "; the endpoint below is the worker's\n";
  return gate.run();
}

void add_limit_options(CLI::App& command, Options& options) {
  const std::string group = "Limits";
  command
      .add_option("--waiting", options.waiting,
                  "Clients that may wait for their turn; those beyond are turned away")
      ->check(whole_number(1, 1000))
      ->capture_default_str()
      ->type_name("N")
      ->group(group);
  command
      .add_option("--idle-timeout", options.idle_timeout_s,
                  "Seconds without a byte after which a client is given up, which ends it; longer "
                  "than the longest pass of an LLM, and than clients are idle; 0 = never")
      ->check(number_up_to(604'800))
      ->capture_default_str()
      ->type_name("S")
      ->group(group);
  command
      .add_option("--cache-limit", options.cache_limit_mib,
                  "MiB that --cache may have while no client is served: beyond, the oldest tensors "
                  "are removed")
      ->check(whole_number(0, 1'000'000'000))
      ->capture_default_str()
      ->type_name("MIB")
      ->group(group);
}

}  // namespace

void add_rpc_server_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, selected, "rpc-server",
                  "Compute layers of other machines' models (their --rpc); trusted networks only");
  command->add_option("-H,--host", options->worker.host, "IPv4 address to listen at")
      ->check(not_empty())
      ->capture_default_str();
  command->add_option("-p,--port", options->worker.port, "Port to listen at")
      ->check(whole_number(1, 65535))
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--cache", options->worker.cache,
                   "Folder to keep large tensors in, so that they need not be sent again")
      ->check(not_empty())
      ->type_name("DIR");
  add_limit_options(*command, *options);
  command->callback([&selected, options] {
    selected.run = [&selected, options] { return serve(*options, selected.common); };
  });
}

}  // namespace rsd::cli
