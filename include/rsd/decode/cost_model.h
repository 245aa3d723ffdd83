// What an encoding is expected to cost on this machine, learned from those that ran.
#pragma once

#include <cstddef>
#include <optional>

namespace rsd {

// Prefills cost so much per token; an encoding of n positions costs a + b n. Both forget slowly, so
// the estimates follow a machine whose load changes. Not thread-safe.
class CostModel {
 public:
  void observe_prefill(std::size_t n_tokens, double ms);
  void observe_encoding(std::size_t n_tokens, double ms);

  // An encoding was not started because its estimate said so. What is not tried can't correct its
  // estimate, so each refusal takes a tenth off it, until a try tells.
  void doubt_prefill();
  void doubt_encoding();

  // Expected milliseconds; nullopt before the first observation of its kind.
  std::optional<double> prefill_ms(std::size_t n_tokens) const;
  std::optional<double> encoding_ms(std::size_t n_tokens) const;

 private:
  // Exponentially weighted sums of a least-squares line.
  struct Line {
    double weight = 0, n = 0, nn = 0, ms = 0, n_ms = 0;
    void observe(double n_tokens, double cost);
    void doubt();
    double at(double n_tokens) const;
  };
  Line prefill_;
  Line encoding_;
};

}  // namespace rsd
