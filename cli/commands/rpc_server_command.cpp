#include "commands/commands.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "options/flags.h"
#include "rsd/llm/rpc_server.h"
#include "terminal/exit_code.h"

namespace rsd::cli {
namespace {

Result<ExitCode> serve(RpcServerOptions options, const CommonOptions& common) {
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
  if (!stopped) return stopped.error();
  return kSuccess;
}

}  // namespace

void add_rpc_server_command(CLI::App& app, Selected& selected) {
  auto options = std::make_shared<RpcServerOptions>();
  CLI::App* command =
      add_command(app, selected, "rpc-server",
                  "Compute layers of other machines' models (their --rpc); trusted networks only");
  Flags flags(*command);
  flags.add({"-H,--host", "TEXT", "IPv4 address to listen at"}, options->host, not_empty());
  flags.add({"-p,--port", "N", "Port to listen at"}, options->port, whole_number(1, 65535));
  flags.add(
      {"--cache", "DIR", "Folder to keep large tensors in, so that they need not be sent again"},
      options->cache, not_empty());
  set_run(*command, selected, [&selected, options] { return serve(*options, selected.common); });
}

}  // namespace rsd::cli
