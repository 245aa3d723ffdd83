// A model's layers over the machines of RPC servers.
#pragma once

#include <llama.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "llm/rpc_devices.h"
#include "rsd/core/result.h"

namespace rsd {

// kInvalidArgument: other than one share for each server, one that is negative or not finite, or
// none above 0. No shares at all are right.
Result<void> check_tensor_split(std::span<const double> shares, std::size_t n_servers);

// How many of `n_layers` each gets, in proportion to its share and rounded where one ends and the
// next begins. The shares' sum must be above 0.
std::vector<std::size_t> layers_by_shares(std::span<const double> shares, std::size_t n_layers);

// How a model's layers are distributed over the machines of `servers`.
struct RpcPlan {
  std::vector<std::string> servers;  // "HOST:PORT"
  std::vector<double> tensor_split;  // shares of the layers by server; empty = by free memory
};

// The output head stays here: a pass then sends back states, not the logits of a whole vocabulary.
class RpcDistribution {
 public:
  // A server's share is its devices' by their free memory. The shares must be checked. Errors of
  // rpc_machines.
  static Result<RpcDistribution> over(const RpcPlan& plan, const std::string& model_path);

  // n_gpu_layers 0 becomes all. `params` must not be used any more when this is gone.
  void apply_to(llama_model_params& params);

 private:
  RpcMachines machines_;                                    // and nullptr after the devices
  std::array<llama_model_tensor_buft_override, 2> kept_{};  // and nulls
  std::vector<double> shares_;                              // by device
  std::vector<float> layers_;                               // by device, as llama.cpp reads them
  std::size_t n_layers_ = 0;
};

}  // namespace rsd
