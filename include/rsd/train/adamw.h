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
  double weight_decay = 0.01;  // times the learning rate, subtracted from every weight
};

// The moments of AdamW; part of a checkpoint.
struct AdamWState {
  std::vector<float> first;   // running mean of the gradients
  std::vector<float> second;  // running mean of their squares
  std::size_t steps = 0;
};

// True if there are `n_weights` weights and all are finite.
bool fits(std::span<const float> weights, std::size_t n_weights);
// True if the moments are of `n_weights` weights, or still empty, and all are finite.
bool fits(const AdamWState& state, std::size_t n_weights);

// One descent step. All spans have the same size; an empty state is initialised.
void adamw_step(std::span<float> weights, std::span<const float> gradient,
                const AdamWOptions& options, AdamWState& state);

// Scales `gradient` down to the norm `limit` if its norm is larger; returns the norm before.
double clip_norm(std::span<float> gradient, double limit);

// The learning rate of a step: linear from 0 to `peak` over `warm_up` steps, then a cosine down to
// a tenth of it at `total`.
double scheduled_rate(double peak, std::size_t step, std::size_t warm_up, std::size_t total);

}  // namespace rsd
