// AdamW (Loshchilov and Hutter, arXiv 1711.05101).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace rsd {

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  // times the learning rate, off every weight
};

// Its moments are part of a checkpoint.
struct AdamWState {
  std::vector<float> first;   // running mean of the gradients
  std::vector<float> second;  // and of their squares
  std::size_t steps = 0;
};

// As many as `n_weights`, and finite?
bool fits(std::span<const float> weights, std::size_t n_weights);
// Of `n_weights` weights, or of none yet, and finite?
bool fits(const AdamWState& state, std::size_t n_weights);

// One step down the gradient. All spans are of one size; an empty state begins.
void adamw_step(std::span<float> weights, std::span<const float> gradient,
                const AdamWOptions& options, AdamWState& state);

// Scales `gradient` down to `limit` where its norm is above it; returns the norm it had.
double clip_norm(std::span<float> gradient, double limit);

// Linear from 0 over `warm_up` steps, then a cosine down to a tenth at `total`.
double scheduled_rate(double peak, std::size_t step, std::size_t warm_up, std::size_t total);

}  // namespace rsd
