// The agent's network: a small Transformer from the history of encodings to one relevance score per
// item (arXiv 2505.20316, section 4.2, "listwise-aware relevance network").
//
// With x[t, i] the token of item i in round t (agent_input.h), RMS-normalised before each part:
//
//   x = W_in f + b_in
//   in each layer   x += attention over the items of a round; its logits get w_h . p[t, i, i']
//                   x += attention over the rounds of an item
//                   x += W_down (silu(W_gate x) * W_up x)
//   y[t, i, i'] = w_y . silu(W_pair p[t, i, i'] + b_pair)
//   score[i] = gain * base[i] + w_out . x[last round, i]
//              + 1 / (n - 1) * sum over t and i' of y[t, i, i'] - y[t, i', i]
//
// with p the features of a pair of items in a round: the last sum is a Borda count of learned
// duels. There are no position embeddings, so permuting the items permutes the scores, and the same
// weights take any number of items and rounds. w_out, w_y and w_h start at zero: an untrained
// network ranks like the heuristic in `base`.
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
  std::size_t d_model = 32;         // a multiple of n_heads; at most 1024
  std::size_t n_heads = 4;          // 1 to 64
  std::size_t n_layers = 1;         // 1 to 32
  std::size_t d_feed_forward = 64;  // at most 4096
  std::size_t d_pair = 24;          // at most 1024
  InputOptions input;

  bool operator==(const NetworkShape&) const = default;
};

// One weight tensor within RelevanceNetwork::weights().
struct WeightTensor {
  std::string name;
  std::size_t columns = 0;  // inputs: the inner dimension
  std::size_t rows = 1;
  std::size_t offset = 0;  // index of its first value
  std::size_t size() const noexcept { return columns * rows; }
};

// Value type that owns its weights. Const calls are safe from several threads.
class RelevanceNetwork {
 public:
  // A network that ranks like the heuristic. kInvalidArgument: a shape outside the limits above.
  static Result<RelevanceNetwork> untrained(const NetworkShape& shape, std::uint64_t seed);

  const NetworkShape& shape() const noexcept { return shape_; }
  const std::vector<WeightTensor>& tensors() const noexcept { return tensors_; }
  std::span<const float> weights() const noexcept { return weights_; }
  std::span<float> weights() noexcept { return weights_; }

  // For each input one score per item. Inputs may differ in their numbers of items and rounds, and
  // there may be none. threads >= 1. One batched pass through the network.
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
