// Other machines that compute layers of a local model, through ggml's RPC backend.
#pragma once

#include <ggml-backend.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

struct RpcMachines {
  std::vector<ggml_backend_dev_t> devices;  // the servers', in their order
  std::vector<std::size_t> servers;         // whose each device is
  // While these are held, the servers serve this process, whose engines share them; a server takes
  // one client at a time.
  std::vector<std::shared_ptr<ggml_backend>> connections;
};

// The machines of `servers`, each "HOST:PORT". As ggml ends the process where a server is missing
// or speaks another version, each is asked for its version first, within seconds; not so where this
// process has a connection. kInvalidArgument: an address of another form, twice the same one, or
// more servers or devices than llama.cpp takes. kUnsupported: a llama.cpp without that backend, or
// a server of another version. kRuntime: no connection, or no answer.
Result<RpcMachines> rpc_machines(const std::vector<std::string>& servers);

}  // namespace rsd
