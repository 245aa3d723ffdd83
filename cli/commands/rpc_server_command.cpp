#include "commands/rpc_server_command.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "options/option_checks.h"
#include "rsd/llm/rpc_server.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

ExitCode serve(RpcServerOptions options, const CommonOptions& common) {
  options.threads = common.threads;
  if (!options.host.starts_with("127.")) {
    spdlog::warn(
        "everyone who reaches {}:{} can use this machine's memory, and what goes over the "
        "network can be read: trusted networks only",
        options.host, options.port);
  }
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // ggml reports connections on stdout
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto stopped = serve_rpc(options);
  return stopped ? kSuccess : static_cast<ExitCode>(fail(stopped.error()));
}

}  // namespace

void add_rpc_server_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<RpcServerOptions>();
  CLI::App* command =
      add_command(app, selected, "rpc-server",
                  "Compute layers of other machines' models (their --rpc); trusted networks only");
  command->add_option("-H,--host", options->host, "IPv4 address to listen at")
      ->check(not_empty())
      ->capture_default_str();
  command->add_option("-p,--port", options->port, "Port to listen at")
      ->check(whole_number(1, 65535))
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--cache", options->cache,
                   "Folder to keep large tensors in, so that they need not be sent again")
      ->check(not_empty())
      ->type_name("DIR");
  command->callback([&selected, options] {
    selected.run = [&selected, options]() -> int { return serve(*options, selected.common); };
  });
}

}  // namespace rsd::cli
