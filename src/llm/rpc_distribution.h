// A model's layers over the machines of RPC servers.
#pragma once

#include <llama.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "llm/rpc_devices.h"
#include "rsd/core/result.h"

namespace rsd {

// The output head stays here: a pass then sends back states, not the logits of a whole vocabulary.
class RpcDistribution {
 public:
  // Layers by the machines' free memory. Errors of rpc_machines.
  static Result<RpcDistribution> over(const std::vector<std::string>& servers,
                                      const std::string& model_path);

  // n_gpu_layers 0 becomes all. `params` must not be used any more when this is gone.
  void apply_to(llama_model_params& params);

 private:
  RpcMachines machines_;                                    // and nullptr behind the devices
  std::array<llama_model_tensor_buft_override, 2> kept_{};  // and nulls
  std::vector<float> shares_;                               // by device, as llama.cpp reads them
  std::size_t n_layers_ = 0;
};

}  // namespace rsd
