#include "llm/rpc_distribution.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "llm/gguf_check.h"
#include "llm/gguf_file.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

std::size_t layer_count(const GgufFile& model) {
  const int64_t at = find_hyperparameter(model.metadata(), "block_count");
  const bool known = at >= 0 && gguf_get_kv_type(model.metadata(), at) == GGUF_TYPE_UINT32;
  return known ? gguf_get_val_u32(model.metadata(), at) : 0;
}

double free_memory(ggml_backend_dev_t device) {
  std::size_t free = 0;
  std::size_t total = 0;
  ggml_backend_dev_memory(device, &free, &total);
  return static_cast<double>(free);
}

// Each server's share over its devices, by their memory; equally where they report none.
void share_within_servers(const RpcMachines& machines, std::span<const double> tensor_split,
                          std::vector<double>& memory) {
  std::vector<double> sums(tensor_split.size());
  std::vector<double> counts(tensor_split.size());
  for (std::size_t d = 0; d < memory.size(); ++d) {
    sums[machines.servers[d]] += memory[d];
    ++counts[machines.servers[d]];
  }
  for (std::size_t d = 0; d < memory.size(); ++d) {
    const std::size_t s = machines.servers[d];
    memory[d] = tensor_split[s] * (sums[s] > 0 ? memory[d] / sums[s] : 1 / counts[s]);
  }
}

}  // namespace

Result<void> check_tensor_split(std::span<const double> shares, std::size_t n_servers) {
  const auto invalid = [](const std::string& message) {
    return Error(ErrorCode::kInvalidArgument, "tensor-split " + message);
  };
  if (shares.empty()) return {};
  if (shares.size() != n_servers) {
    return invalid("has " + std::to_string(shares.size()) + " shares; there must be as many as " +
                   "RPC servers, " + std::to_string(n_servers));
  }
  for (const double share : shares) {
    if (!std::isfinite(share) || share < 0)
      return invalid("has a share of " + std::to_string(share) + "; it must be 0 or more");
  }
  if (std::ranges::max(shares) <= 0) return invalid("has shares of 0 only; one must be above 0");
  return {};
}

std::vector<std::size_t> layers_by_shares(std::span<const double> shares, std::size_t n_layers) {
  const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  RSD_CHECK(all > 0, "shares of nothing");
  std::vector<std::size_t> layers;
  double share = 0;
  std::size_t begin = 0;
  for (const double own : shares) {
    share += own;
    const auto end =
        static_cast<std::size_t>(std::lround(share / all * static_cast<double>(n_layers)));
    layers.push_back(end - begin);
    begin = end;
  }
  return layers;
}

Result<RpcDistribution> RpcDistribution::over(const RpcPlan& plan, const std::string& model_path) {
  const auto model = GgufFile::open("model", model_path);
  if (!model) return model.error();
  auto machines = rpc_machines(plan.servers);
  if (!machines) return machines.error();
  RpcDistribution distribution;
  distribution.n_layers_ = layer_count(*model);
  distribution.machines_ = *std::move(machines);
  auto& devices = distribution.machines_.devices;
  std::ranges::transform(devices, std::back_inserter(distribution.shares_), free_memory);
  if (!plan.tensor_split.empty())
    share_within_servers(distribution.machines_, plan.tensor_split, distribution.shares_);
  devices.push_back(nullptr);
  distribution.kept_[0] = {.pattern = "^(output|token_embd)",
                           .buft = ggml_backend_cpu_buffer_type()};
  return distribution;
}

void RpcDistribution::apply_to(llama_model_params& params) {
  params.devices = machines_.devices.data();
  params.tensor_buft_overrides = kept_.data();
  if (params.n_gpu_layers == 0) params.n_gpu_layers = -1;
  const std::size_t n_there = params.n_gpu_layers < 0
                                  ? n_layers_
                                  : std::min<std::size_t>(n_layers_, params.n_gpu_layers - 1);
  if (std::accumulate(shares_.begin(), shares_.end(), 0.0) <= 0 || n_there == 0) return;
  const auto layers = layers_by_shares(shares_, n_there);
  layers_.assign(llama_max_devices(), 0);  // all of which llama.cpp may read
  std::ranges::copy(layers, layers_.begin());
  // llama.cpp counts the output head as one layer more, the last machine's; it is kept here.
  layers_[layers.size() - 1] += 1;
  params.tensor_split = layers_.data();
}

}  // namespace rsd
