// What an encoding is expected to cost on this machine, learned from those that ran.
#pragma once

#include <cstddef>
#include <optional>

namespace rsd {

// Prefills cost so much per token; an encoding of n positions costs a + b n, one of a single
// position a cost of its own, since kernels for one vector are others. All forget slowly, so the
// estimates follow a machine whose load changes. Not thread-safe.
class CostModel {
 public:
  // Of passes of the LLM, by all the tokens that went through it.
  void observe_prefill(std::size_t n_tokens, double ms);
  void observe_encoding(std::size_t n_tokens, double ms);

  // An encoding was not started because its estimate said so. What is not tried can't correct its
  // estimate, so each refusal takes a tenth off it, until a try tells.
  void doubt_prefill();
  void doubt_encoding();

  // Expected milliseconds; nullopt before the first observation of its kind. Nothing costs nothing.
  std::optional<double> prefill_ms(std::size_t n_tokens) const;
  std::optional<double> encoding_ms(std::size_t n_tokens) const;
  // Has an encoding of one position been seen?
  bool knows_single() const noexcept { return single_.weight > 0; }

 private:
  // Measured on CPUs: 4 positions cost 2.1 single ones, 20 cost 8.
  static constexpr double kTypicalBase = 1.7;
  // Exponentially weighted sums of a least-squares line.
  struct Line {
    // What any number costs beside a token each, before sizes have differed; 0 = unknown.
    double typical_base = 0;
    double weight = 0, n = 0, nn = 0, ms = 0, n_ms = 0;
    // The slope as it was when the sizes last differed enough to tell: without it, a decoder that
    // has come to encode single positions would never learn again what more of them cost.
    std::optional<double> slope;
    double variance() const;
    void observe(double n_tokens, double cost);
    void doubt();
    double at(double n_tokens) const;
  };
  Line prefill_;
  Line encoding_{.typical_base = kTypicalBase};  // of several positions
  Line single_{.typical_base = kTypicalBase};    // of one
};

}  // namespace rsd
