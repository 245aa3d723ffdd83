#include "agent/network_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "rsd/core/check.h"

namespace rsd {
namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();
constexpr float kEpsilon = 1e-6F;

int64_t signed_size(std::size_t size) {
  return static_cast<int64_t>(size);
}

}  // namespace

PaddedBatch::PaddedBatch(std::span<const AgentInput> inputs) : n_inputs(inputs.size()) {
  RSD_CHECK(!inputs.empty(), "a batch without inputs");
  for (const AgentInput& input : inputs) {
    RSD_CHECK(input.n_items() >= 1 && input.n_rounds >= 1, "an input without items or rounds");
    n_items = std::max(n_items, input.n_items());
    n_rounds = std::max(n_rounds, input.n_rounds);
  }
  const std::size_t n_tokens = n_items * n_rounds * n_inputs;
  features.assign(feature_names().size() * n_tokens, 0.0F);
  pairs.assign(pair_feature_names().size() * n_items * n_tokens, 0.0F);
  duels.assign(n_inputs, 0.0F);
  item_mask.assign(n_items * n_tokens, 0.0F);
  round_mask.assign(n_rounds * n_tokens, 0.0F);
  base.assign(n_items * n_inputs, 0.0F);
  for (std::size_t b = 0; b < n_inputs; ++b) {
    add(inputs[b], b);
    mask(inputs[b], b);
  }
}

void PaddedBatch::add(const AgentInput& input, std::size_t number) {
  const std::size_t n = input.n_items();
  const std::size_t n_features = feature_names().size();
  const std::size_t n_pair = pair_feature_names().size();
  if (n > 1) duels[number] = 1 / static_cast<float>(n - 1);
  std::ranges::copy(input.base, base.begin() + signed_size(number * n_items));
  for (std::size_t t = 0; t < input.n_rounds; ++t) {
    const std::size_t round = number * n_rounds + (n_rounds - input.n_rounds) + t;
    std::copy_n(input.features.begin() + signed_size(t * n * n_features), n * n_features,
                features.begin() + signed_size(round * n_items * n_features));
    for (std::size_t i = 0; i < n; ++i) {
      std::copy_n(input.pairs.begin() + signed_size((t * n + i) * n * n_pair), n * n_pair,
                  pairs.begin() + signed_size((round * n_items + i) * n_items * n_pair));
    }
  }
}

void PaddedBatch::mask(const AgentInput& input, std::size_t number) {
  const std::size_t n_missing = n_rounds - input.n_rounds;
  for (std::size_t row = 0; row < n_items * n_rounds; ++row) {
    float* items = item_mask.data() + (number * n_items * n_rounds + row) * n_items;
    std::fill(items + input.n_items(), items + n_items, kHidden);
    float* rounds = round_mask.data() + (number * n_items * n_rounds + row) * n_rounds;
    std::fill(rounds, rounds + n_missing, kHidden);
  }
}

namespace {

// Tokens are [d, N, R, B] throughout: items innermost, then rounds, then inputs.
class Builder {
 public:
  Builder(ggml_context* context, const RelevanceNetwork& network, const PaddedBatch& batch)
      : context_(context), shape_(network.shape()), batch_(batch) {
    for (const WeightTensor& tensor : network.tensors()) {
      ggml_tensor* weight = ggml_new_tensor_2d(context, GGML_TYPE_F32, signed_size(tensor.columns),
                                               signed_size(tensor.rows));
      ggml_set_param(weight);
      ggml_set_input(weight);  // otherwise ggml would reuse its memory for earlier nodes
      graph_.weights.push_back(weight);
    }
    const int64_t n_batched = rounds() * inputs();
    graph_.features = leaf(signed_size(feature_names().size()), items() * n_batched);
    graph_.pairs = leaf(signed_size(pair_feature_names().size()), items() * items() * n_batched);
    graph_.duels = leaf(1, inputs());
    graph_.item_mask = leaf(items(), items(), 1, n_batched);
    graph_.round_mask = leaf(rounds(), rounds(), 1, items() * inputs());
    graph_.base = leaf(items(), inputs());
  }

  NetworkGraph build() {
    ggml_tensor* x = linear(graph_.features);
    x = ggml_add(context_, x, next_weight());
    for (std::size_t layer = 0; layer < shape_.n_layers; ++layer) {
      x = ggml_add(context_, x, over_items(normalised(x)));
      x = ggml_add(context_, x, over_rounds(normalised(x)));
      x = ggml_add(context_, x, feed_forward(normalised(x)));
    }
    ggml_tensor* won = duels_won();
    ggml_tensor* correction = linear(normalised(last_round(x)));
    correction = ggml_reshape_2d(context_, correction, items(), inputs());
    graph_.scores = ggml_add(context_, ggml_mul(context_, graph_.base, next_weight()),
                             ggml_add(context_, correction, won));
    RSD_CHECK(next_ == graph_.weights.size(), "every weight is used once");
    return graph_;
  }

 private:
  int64_t items() const { return signed_size(batch_.n_items); }
  int64_t rounds() const { return signed_size(batch_.n_rounds); }
  int64_t inputs() const { return signed_size(batch_.n_inputs); }
  int64_t width() const { return signed_size(shape_.d_model); }
  int64_t heads() const { return signed_size(shape_.n_heads); }

  ggml_tensor* leaf(int64_t ne0, int64_t ne1, int64_t ne2 = 1, int64_t ne3 = 1) {
    ggml_tensor* tensor = ggml_new_tensor_4d(context_, GGML_TYPE_F32, ne0, ne1, ne2, ne3);
    ggml_set_input(tensor);
    return tensor;
  }

  // The weights in the order of RelevanceNetwork::tensors(), which is that of their use.
  ggml_tensor* next_weight() { return graph_.weights.at(next_++); }

  ggml_tensor* linear(ggml_tensor* x) { return ggml_mul_mat(context_, next_weight(), x); }

  ggml_tensor* normalised(ggml_tensor* x) {
    return ggml_mul(context_, ggml_rms_norm(context_, x, kEpsilon), next_weight());
  }

  // [d, n * m] to [d / heads, n, heads, m].
  ggml_tensor* split(ggml_tensor* x, int64_t n, int64_t m) {
    x = ggml_reshape_4d(context_, x, width() / heads(), heads(), n, m);
    return ggml_cont(context_, ggml_permute(context_, x, 0, 2, 1, 3));
  }

  // m independent attentions over n tokens each.
  struct Attention {
    int64_t n = 0;
    int64_t m = 0;
    ggml_tensor* mask = nullptr;
    ggml_tensor* bias = nullptr;  // [n, n, heads, m] or null
  };

  // x is [d, n * m].
  ggml_tensor* attention(ggml_tensor* x, const Attention& over) {
    const auto [n, m, mask, bias] = over;
    ggml_tensor* queries = split(linear(x), n, m);
    ggml_tensor* keys = split(linear(x), n, m);
    ggml_tensor* values = ggml_reshape_4d(context_, linear(x), width() / heads(), heads(), n, m);
    values = ggml_cont(context_, ggml_permute(context_, values, 1, 2, 0, 3));
    ggml_tensor* logits = ggml_mul_mat(context_, keys, queries);  // [n keys, n queries, heads, m]
    const int64_t head_width = width() / heads();
    const float scale = 1 / std::sqrt(static_cast<float>(head_width));
    logits = ggml_scale(context_, logits, scale);
    if (bias) logits = ggml_add(context_, logits, bias);
    ggml_tensor* shares = ggml_soft_max_ext(context_, logits, mask, 1.0F, 0.0F);
    ggml_tensor* mixed = ggml_mul_mat(context_, values, shares);  // [d / heads, n, heads, m]
    mixed = ggml_cont(context_, ggml_permute(context_, mixed, 0, 2, 1, 3));
    return linear(ggml_reshape_2d(context_, mixed, width(), n * m));
  }

  ggml_tensor* over_items(ggml_tensor* x) {
    const int64_t m = rounds() * inputs();
    ggml_tensor* bias = linear(graph_.pairs);  // [heads, N * N * R * B]
    bias = ggml_reshape_4d(context_, bias, heads(), items(), items(), m);
    bias = ggml_cont(context_, ggml_permute(context_, bias, 2, 0, 1, 3));
    return attention(x, {.n = items(), .m = m, .mask = graph_.item_mask, .bias = bias});
  }

  ggml_tensor* over_rounds(ggml_tensor* x) {
    x = exchanged(x, items(), rounds());
    x = attention(x, {.n = rounds(), .m = items() * inputs(), .mask = graph_.round_mask});
    return exchanged(x, rounds(), items());
  }

  // [d, inner * outer * B] to [d, outer * inner * B].
  ggml_tensor* exchanged(ggml_tensor* x, int64_t inner, int64_t outer) {
    x = ggml_reshape_4d(context_, x, width(), inner, outer, inputs());
    x = ggml_cont(context_, ggml_permute(context_, x, 0, 2, 1, 3));
    return ggml_reshape_2d(context_, x, width(), inner * outer * inputs());
  }

  ggml_tensor* feed_forward(ggml_tensor* x) {
    ggml_tensor* gate = ggml_silu(context_, linear(x));
    return linear(ggml_mul(context_, gate, linear(x)));
  }

  // [N, B]: for each item the mean over the others, summed over the rounds. Padding has equal
  // features on both sides and contributes 0.
  ggml_tensor* duels_won() {
    ggml_tensor* y = linear(graph_.pairs);
    y = ggml_add(context_, y, next_weight());
    y = linear(ggml_silu(context_, y));
    y = ggml_reshape_3d(context_, y, items(), items(), rounds() * inputs());
    y = ggml_sub(context_, y, ggml_cont(context_, ggml_transpose(context_, y)));
    y = ggml_reshape_3d(context_, ggml_sum_rows(context_, y), items(), rounds(), inputs());
    y = ggml_sum_rows(context_, ggml_cont(context_, ggml_transpose(context_, y)));
    y = ggml_reshape_2d(context_, y, items(), inputs());
    return ggml_mul(context_, y, graph_.duels);
  }

  // [d, N * B].
  ggml_tensor* last_round(ggml_tensor* x) {
    const std::size_t of_round = ggml_row_size(GGML_TYPE_F32, width() * items());
    const std::size_t of_input = of_round * batch_.n_rounds;
    ggml_tensor* view = ggml_view_3d(context_, x, width(), items(), inputs(), x->nb[1], of_input,
                                     of_round * (batch_.n_rounds - 1));
    return ggml_reshape_2d(context_, ggml_cont(context_, view), width(), items() * inputs());
  }

  ggml_context* context_;
  const NetworkShape& shape_;
  const PaddedBatch& batch_;
  NetworkGraph graph_;
  std::size_t next_ = 0;
};

}  // namespace

NetworkGraph build_network(ggml_context* context, const RelevanceNetwork& network,
                           const PaddedBatch& batch) {
  return Builder(context, network, batch).build();
}

}  // namespace rsd
