// The agent's network: a small Transformer from the history of encodings to one relevance score an
// item (arXiv 2505.20316, section 4.2, "listwise-aware relevance network").
//
// With x[t, i] the token of item i in round t (agent_input.h), RMS-normalised before each part:
//
//   x = W_in f + b_in
//   in each layer   x += attention over the items of a round; its logits get w_h * preference(i,
//   i')
//                   x += attention over the rounds of an item
//                   x += W_down (silu(W_gate x) * W_up x)
//   score[i] = gain * base[i] + w_out . x[last round, i]
//
// There are no biases by place, so permuting the items permutes the scores, and any number of items
// and rounds goes with the same weights. w_out starts at zero: an untrained network ranks as the
// heuristic in `base` does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rsd/agent/agent_input.h"
#include "rsd/core/result.h"
#include "rsd/decode/ranking_policy.h"

namespace rsd {

struct NetworkShape {
  std::size_t d_model = 48;         // a multiple of n_heads; at most 1024
  std::size_t n_heads = 4;          // 1 to 64
  std::size_t n_layers = 2;         // 1 to 32
  std::size_t d_feed_forward = 96;  // at most 4096
  InputOptions input;

  bool operator==(const NetworkShape&) const = default;
};

// One weight tensor within RelevanceNetwork::weights().
struct WeightTensor {
  std::string name;
  std::size_t columns = 0;  // inputs: the inner dimension
  std::size_t rows = 1;
  std::size_t offset = 0;  // of its first value
  std::size_t size() const noexcept { return columns * rows; }
};

// Value type over its weights. Const calls are safe from several threads.
class RelevanceNetwork {
 public:
  // Ranks as the heuristic does. kInvalidArgument: a shape out of the limits above.
  static Result<RelevanceNetwork> untrained(const NetworkShape& shape, std::uint64_t seed);

  const NetworkShape& shape() const noexcept { return shape_; }
  const std::vector<WeightTensor>& tensors() const noexcept { return tensors_; }
  std::span<const float> weights() const noexcept { return weights_; }
  std::span<float> weights() noexcept { return weights_; }

  // One score an item for each of the inputs, which may differ in items and rounds. Without inputs
  // there is nothing to do. threads >= 1. One pass through the network, batched.
  std::vector<std::vector<double>> scores(std::span<const AgentInput> inputs,
                                          int threads = 1) const;

  // The gradient of a loss with respect to weights(), in their order, given its gradient with
  // respect to all scores: d loss / d w = sum over inputs and items of slope * d score / d w.
  std::vector<float> gradient(std::span<const AgentInput> inputs,
                              std::span<const std::vector<double>> slopes, int threads = 1) const;

 private:
  explicit RelevanceNetwork(const NetworkShape& shape);

  NetworkShape shape_;
  std::vector<WeightTensor> tensors_;
  std::vector<float> weights_;
};

}  // namespace rsd
