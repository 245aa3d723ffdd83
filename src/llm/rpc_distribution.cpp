#include "llm/rpc_distribution.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "llm/gguf_check.h"
#include "llm/gguf_file.h"

namespace rsd {
namespace {

std::size_t layer_count(const GgufFile& model) {
  const int64_t at = find_hyperparameter(model.metadata(), "block_count");
  const bool known = at >= 0 && gguf_get_kv_type(model.metadata(), at) == GGUF_TYPE_UINT32;
  return known ? gguf_get_val_u32(model.metadata(), at) : 0;
}

float free_memory(ggml_backend_dev_t device) {
  std::size_t free = 0;
  std::size_t total = 0;
  ggml_backend_dev_memory(device, &free, &total);
  return static_cast<float>(free);
}

}  // namespace

Result<RpcDistribution> RpcDistribution::over(const std::vector<std::string>& servers,
                                              const std::string& model_path) {
  const auto model = GgufFile::open("model", model_path);
  if (!model) return model.error();
  auto machines = rpc_machines(servers);
  if (!machines) return machines.error();
  RpcDistribution distribution;
  distribution.n_layers_ = layer_count(*model);
  distribution.machines_ = *std::move(machines);
  auto& devices = distribution.machines_.devices;
  distribution.shares_.resize(llama_max_devices());  // all of which llama.cpp may read
  std::ranges::transform(devices, distribution.shares_.begin(), free_memory);
  devices.push_back(nullptr);
  distribution.kept_[0] = {.pattern = "^(output|token_embd)",
                           .buft = ggml_backend_cpu_buffer_type()};
  return distribution;
}

void RpcDistribution::apply_to(llama_model_params& params) {
  params.devices = machines_.devices.data();
  params.tensor_buft_overrides = kept_.data();
  if (params.n_gpu_layers == 0) params.n_gpu_layers = -1;
  // llama.cpp counts the output head as one layer more, the last machine's: that is kept here, so
  // that machine gets a layer's share on top.
  const float memory = std::accumulate(shares_.begin(), shares_.end(), 0.0F);
  const std::size_t n_there = params.n_gpu_layers < 0
                                  ? n_layers_
                                  : std::min<std::size_t>(n_layers_, params.n_gpu_layers - 1);
  if (memory <= 0 || n_there == 0) return;
  const std::size_t last = machines_.devices.size() - 2;
  shares_[last] += memory / static_cast<float>(n_there);
  params.tensor_split = shares_.data();
}

}  // namespace rsd
