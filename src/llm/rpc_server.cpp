#include "rsd/llm/rpc_server.h"

#include <arpa/inet.h>
#include <ggml.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "llm/backend.h"
#include "llm/rpc_backend.h"
#include "rsd/core/machine.h"

namespace rsd {
namespace {

// As ggml's own server does: the CPU where there is nothing faster.
std::vector<ggml_backend_dev_t> local_devices() {
  std::vector<ggml_backend_dev_t> devices;
  for (std::size_t n = 0; n < ggml_backend_dev_count(); ++n) {
    const ggml_backend_dev_t device = ggml_backend_dev_get(n);
    const auto type = ggml_backend_dev_type(device);
    if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) {
      devices.push_back(device);
    }
  }
  if (!devices.empty()) return devices;
  if (const auto cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)) return {cpu};
  return {};
}

}  // namespace

Result<void> check(const RpcServerOptions& options) {
  in_addr address{};
  if (::inet_pton(AF_INET, options.host.c_str(), &address) != 1) {
    return Error(ErrorCode::kInvalidArgument, "host '" + options.host + "' is no IPv4 address");
  }
  std::error_code ignored;
  if (!options.cache.empty() && !std::filesystem::is_directory(options.cache, ignored)) {
    return Error(ErrorCode::kNotFound, options.cache + " is no folder");
  }
  return {};
}

Result<void> serve_rpc(const RpcServerOptions& options) {
  if (auto sensible = check(options); !sensible) return sensible;
  if (auto started = start_backend(); !started) return started;
  const auto start_server =
      rpc_function<decltype(&ggml_backend_rpc_start_server)>("ggml_backend_rpc_start_server");
  if (!start_server) return no_rpc_backend();
  auto devices = local_devices();
  if (devices.empty()) return Error(ErrorCode::kUnsupported, "ggml finds no device here");
  const std::string endpoint = options.host + ":" + std::to_string(options.port);
  start_server(endpoint.c_str(), options.cache.empty() ? nullptr : options.cache.c_str(),
               static_cast<std::size_t>(thread_count(options.threads)), devices.size(),
               devices.data());
  return Error(ErrorCode::kRuntime, "no RPC server at " + endpoint + ": is the port taken?");
}

void on_ggml_abort(void (*handler)(const char* message)) {
  ggml_set_abort_callback(handler);
}

}  // namespace rsd
