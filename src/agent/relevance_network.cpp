#include "rsd/agent/relevance_network.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>
#include <string>
#include <utility>

#include "agent/network_graph.h"
#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr float kInitialGain = 2;
constexpr std::size_t kMaxNodes = 8192;

Result<void> check_shape(const NetworkShape& shape) {
  const auto check = [](const char* name, std::size_t value, std::size_t limit) -> Result<void> {
    if (value >= 1 && value <= limit) return {};
    return Error(ErrorCode::kInvalidArgument, std::string(name) + " is " + std::to_string(value) +
                                                  "; it must be 1 to " + std::to_string(limit));
  };
  for (const auto& checked :
       {check("d_model", shape.d_model, 1024), check("n_heads", shape.n_heads, 64),
        check("n_layers", shape.n_layers, 32), check("d_feed_forward", shape.d_feed_forward, 4096),
        check("d_pair", shape.d_pair, 1024), check("max_rounds", shape.input.max_rounds, 64)}) {
    if (!checked) return checked;
  }
  if (shape.d_model % shape.n_heads != 0) {
    return Error(ErrorCode::kInvalidArgument, "d_model is " + std::to_string(shape.d_model) +
                                                  "; it must be a multiple of n_heads, " +
                                                  std::to_string(shape.n_heads));
  }
  return {};
}

struct GraphFree {
  void operator()(ggml_context* context) const { ggml_free(context); }
  void operator()(ggml_gallocr* allocator) const { ggml_gallocr_free(allocator); }
  void operator()(ggml_backend* backend) const { ggml_backend_free(backend); }
};

// The CPU by way of ggml's registry, since its kernels may lie in a library that is chosen when rsd
// runs (GGML_BACKEND_DL).
std::unique_ptr<ggml_backend, GraphFree> cpu_with(int threads) {
  std::unique_ptr<ggml_backend, GraphFree> cpu(
      ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
  RSD_CHECK(cpu != nullptr, "ggml's CPU backend");
  const ggml_backend_reg_t backend =
      ggml_backend_dev_backend_reg(ggml_backend_get_device(cpu.get()));
  const auto set_threads = reinterpret_cast<ggml_backend_set_n_threads_t>(
      ggml_backend_reg_get_proc_address(backend, "ggml_backend_set_n_threads"));
  RSD_CHECK(set_threads != nullptr, "the threads of ggml's CPU backend");
  set_threads(cpu.get(), threads);
  return cpu;
}

void fill(ggml_tensor* tensor, std::span<const float> values) {
  // A leaf that no node uses has no memory.
  if (!tensor->data) return;
  RSD_CHECK(values.size() == static_cast<std::size_t>(ggml_nelements(tensor)), "values of a leaf");
  std::memcpy(tensor->data, values.data(), values.size_bytes());
}

// The network's graph for one batch, ready to compute.
class Pass {
 public:
  Pass(const RelevanceNetwork& network, const PaddedBatch& batch)
      : network_(network),
        batch_(batch),
        memory_(std::make_unique_for_overwrite<char[]>(context_bytes())),
        context_(ggml_init(
            {.mem_size = context_bytes(), .mem_buffer = memory_.get(), .no_alloc = true})),
        network_graph_(build_network(context_.get(), network, batch)) {}

  // [items, inputs]
  std::span<const float> scores(int threads) {
    ggml_cgraph* graph = ggml_new_graph_custom(context_.get(), kMaxNodes, false);
    ggml_set_output(network_graph_.scores);
    ggml_build_forward_expand(graph, network_graph_.scores);
    allocate(graph);
    compute(graph, threads);
    return {static_cast<const float*>(network_graph_.scores->data),
            batch_.n_items * batch_.n_inputs};
  }

  // The gradient of sum(score * slope); `slopes` is [items, inputs].
  std::vector<float> gradient(std::span<const float> slopes, int threads) {
    ggml_context* context = context_.get();
    ggml_tensor* slope = ggml_dup_tensor(context, network_graph_.scores);
    ggml_set_input(slope);
    ggml_tensor* loss = ggml_sum(context, ggml_mul(context, network_graph_.scores, slope));
    ggml_set_loss(loss);
    ggml_cgraph* graph = ggml_new_graph_custom(context, kMaxNodes, true);
    ggml_build_forward_expand(graph, loss);
    ggml_build_backward_expand(context, graph, nullptr);
    std::vector<ggml_tensor*> gradients;
    for (ggml_tensor* weight : network_graph_.weights) {
      ggml_tensor* of_weight = ggml_graph_get_grad(graph, weight);
      RSD_CHECK(of_weight != nullptr, "a weight without gradient");
      ggml_set_output(of_weight);
      gradients.push_back(of_weight);
    }
    allocate(graph);
    ggml_graph_reset(graph);  // the loss's own gradient is 1
    fill(slope, slopes);
    compute(graph, threads);
    std::vector<float> all;
    for (const ggml_tensor* of_weight : gradients) {
      const auto* values = static_cast<const float*>(of_weight->data);
      all.insert(all.end(), values, values + ggml_nelements(of_weight));
    }
    return all;
  }

 private:
  static std::size_t context_bytes() {
    return ggml_tensor_overhead() * kMaxNodes + 2 * ggml_graph_overhead_custom(kMaxNodes, true);
  }

  void allocate(ggml_cgraph* graph) {
    allocator_.reset(ggml_gallocr_new(ggml_backend_cpu_buffer_type()));
    if (!ggml_gallocr_alloc_graph(allocator_.get(), graph)) throw std::bad_alloc();
  }

  void compute(ggml_cgraph* graph, int threads) {
    for (std::size_t i = 0; i < network_graph_.weights.size(); ++i) {
      const WeightTensor& tensor = network_.tensors()[i];
      fill(network_graph_.weights[i], network_.weights().subspan(tensor.offset, tensor.size()));
    }
    fill(network_graph_.features, batch_.features);
    fill(network_graph_.pairs, batch_.pairs);
    fill(network_graph_.duels, batch_.duels);
    fill(network_graph_.base, batch_.base);
    fill(network_graph_.item_mask, batch_.item_mask);
    fill(network_graph_.round_mask, batch_.round_mask);
    const ggml_status status = ggml_backend_graph_compute(cpu_with(threads).get(), graph);
    if (status == GGML_STATUS_ALLOC_FAILED) throw std::bad_alloc();
    RSD_CHECK(status == GGML_STATUS_SUCCESS, "the agent's network");
  }

  const RelevanceNetwork& network_;
  const PaddedBatch& batch_;
  // The context's, most of which it never touches: ggml ends the process where it finds none
  // itself.
  std::unique_ptr<char[]> memory_;
  std::unique_ptr<ggml_context, GraphFree> context_;
  std::unique_ptr<ggml_gallocr, GraphFree> allocator_;
  NetworkGraph network_graph_;
};

// Standard normal from 53 random bits each, since the distributions of <random> differ between
// standard libraries.
double normal(std::mt19937_64& random) {
  constexpr double kScale = 1.0 / 9007199254740992.0;  // 2^-53
  const double radius =
      std::sqrt(-2 * std::log((static_cast<double>(random() >> 11U) + 0.5) * kScale));
  return radius * std::cos(2 * std::numbers::pi * static_cast<double>(random() >> 11U) * kScale);
}

}  // namespace

// The tensors are in the order in which network_graph.cpp uses them.
RelevanceNetwork::RelevanceNetwork(const NetworkShape& shape) : shape_(shape) {
  std::size_t offset = 0;
  const auto add = [&](const std::string& name, std::size_t columns, std::size_t rows = 1) {
    tensors_.push_back({.name = name, .columns = columns, .rows = rows, .offset = offset});
    offset += columns * rows;
  };
  const std::size_t d = shape.d_model;
  add("in.weight", feature_names().size(), d);
  add("in.bias", d);
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    const std::string prefix = "layer." + std::to_string(layer) + ".";
    for (const char* part : {"items.", "rounds."}) {
      add(prefix + part + "norm", d);
      if (part == std::string_view("items.")) {
        add(prefix + "items.pairs", pair_feature_names().size(), shape.n_heads);
      }
      for (const char* projection : {"query", "key", "value", "out"})
        add(prefix + part + projection, d, d);
    }
    add(prefix + "feed_forward.norm", d);
    add(prefix + "feed_forward.gate", d, shape.d_feed_forward);
    add(prefix + "feed_forward.up", d, shape.d_feed_forward);
    add(prefix + "feed_forward.down", shape.d_feed_forward, d);
  }
  add("pairs.weight", pair_feature_names().size(), shape.d_pair);
  add("pairs.bias", shape.d_pair);
  add("pairs.out", shape.d_pair);
  add("out.norm", d);
  add("out.weight", d);
  add("out.gain", 1);
  weights_.resize(offset);
}

Result<RelevanceNetwork> RelevanceNetwork::untrained(const NetworkShape& shape,
                                                     std::uint64_t seed) {
  if (auto checked = check_shape(shape); !checked) return checked.error();
  RelevanceNetwork network(shape);
  std::mt19937_64 random(seed);
  for (const WeightTensor& tensor : network.tensors_) {
    const std::span<float> values(network.weights_.data() + tensor.offset, tensor.size());
    if (tensor.name.ends_with("norm")) {
      std::ranges::fill(values, 1.0F);
    } else if (tensor.name == "out.gain") {
      values[0] = kInitialGain;
    } else if (tensor.rows > 1 && !tensor.name.ends_with("items.pairs")) {
      const double spread = 1 / std::sqrt(static_cast<double>(tensor.columns));
      for (float& value : values)
        value = static_cast<float>(spread * normal(random));
    }  // biases and outputs stay 0
  }
  return network;
}

std::vector<std::vector<double>> RelevanceNetwork::scores(std::span<const AgentInput> inputs,
                                                          int threads) const {
  if (inputs.empty()) return {};
  const PaddedBatch batch(inputs);
  Pass pass(*this, batch);
  const auto padded = pass.scores(threads);
  std::vector<std::vector<double>> scores;
  for (std::size_t b = 0; b < inputs.size(); ++b) {
    const auto of_input = padded.subspan(b * batch.n_items, inputs[b].n_items());
    scores.emplace_back(of_input.begin(), of_input.end());
  }
  return scores;
}

std::vector<float> RelevanceNetwork::gradient(std::span<const AgentInput> inputs,
                                              std::span<const std::vector<double>> slopes,
                                              int threads) const {
  RSD_CHECK(inputs.size() == slopes.size(), "a slope for each input");
  if (inputs.empty()) return std::vector<float>(weights_.size(), 0.0F);
  const PaddedBatch batch(inputs);
  std::vector<float> padded(batch.n_items * batch.n_inputs, 0.0F);
  for (std::size_t b = 0; b < inputs.size(); ++b) {
    RSD_CHECK(slopes[b].size() == inputs[b].n_items(), "a slope for each item");
    std::ranges::transform(slopes[b],
                           padded.begin() + static_cast<std::ptrdiff_t>(b * batch.n_items),
                           [](double slope) { return static_cast<float>(slope); });
  }
  return Pass(*this, batch).gradient(padded, threads);
}

}  // namespace rsd
