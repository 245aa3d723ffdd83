// ggml's RPC backend, which an installed llama.cpp may lack.
#pragma once

#include <ggml-backend.h>
#include <ggml-rpc.h>

#include "rsd/core/result.h"

namespace rsd {

// A function of the backend by its name, as ggml-rpc.h declares it; nullptr: no_rpc_backend().
template <class Function>
Function rpc_function(const char* name) {
  const ggml_backend_reg_t backend = ggml_backend_reg_by_name("RPC");
  return backend ? reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(backend, name))
                 : nullptr;
}

inline Error no_rpc_backend() {
  return {ErrorCode::kUnsupported,
          "this build's llama.cpp has no RPC backend (GGML_RPC=ON makes one)"};
}

}  // namespace rsd
