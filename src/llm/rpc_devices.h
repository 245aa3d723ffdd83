// Other machines that compute layers of a local model, through ggml's RPC backend.
#pragma once

#include <ggml-backend.h>

#include <string>
#include <vector>

#include "rsd/core/result.h"

namespace rsd {

// The devices of `servers`, each "HOST:PORT", in their order. As ggml ends the process where a
// server is missing or speaks another version, each is asked for its version first, within
// seconds. kInvalidArgument: an address of another form, twice the same one, or more than ggml
// takes. kUnsupported: a llama.cpp without that backend, or a server of another version. kRuntime:
// no connection, or no answer.
Result<std::vector<ggml_backend_dev_t>> rpc_devices(const std::vector<std::string>& servers);

}  // namespace rsd
