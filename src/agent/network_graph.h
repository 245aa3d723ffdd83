// Builds the network as a ggml graph.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <span>
#include <vector>

#include "rsd/agent/relevance_network.h"

namespace rsd {

// A batch of inputs, padded to the largest: missing items and rounds are zeros that no other token
// attends to. Rounds are padded at the front, so the last one is always at the same index.
// Dimensions in ggml's order, innermost first.
struct PaddedBatch {
  explicit PaddedBatch(std::span<const AgentInput> inputs);

  std::size_t n_items = 0;
  std::size_t n_rounds = 0;
  std::size_t n_inputs = 0;
  std::vector<float> features;    // [F, items, rounds, inputs]
  std::vector<float> pairs;       // [P, items (the other), items, rounds, inputs]
  std::vector<float> duels;       // [1, inputs] 1 / (n - 1)
  std::vector<float> base;        // [items, inputs]
  std::vector<float> item_mask;   // [items (attended to), items, 1, rounds * inputs]
  std::vector<float> round_mask;  // [rounds (attended to), rounds, 1, items * inputs]

 private:
  void add(const AgentInput& input, std::size_t number);
  void mask(const AgentInput& input, std::size_t number);
};

struct NetworkGraph {
  // The leaves, to be filled after allocation.
  std::vector<ggml_tensor*> weights;  // in the order of RelevanceNetwork::tensors()
  ggml_tensor* features = nullptr;
  ggml_tensor* pairs = nullptr;
  ggml_tensor* duels = nullptr;
  ggml_tensor* base = nullptr;
  ggml_tensor* item_mask = nullptr;
  ggml_tensor* round_mask = nullptr;
  ggml_tensor* scores = nullptr;  // [items, inputs]
};

// Adds the network's nodes to `context`, which must be one that allocates no tensor data.
NetworkGraph build_network(ggml_context* context, const RelevanceNetwork& network,
                           const PaddedBatch& batch);

}  // namespace rsd
