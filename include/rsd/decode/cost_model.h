// What a request's steps are expected to cost on this machine, learned from those that ran.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rsd {

enum class CostKind { kPrefill, kEncoding, kPolicy };

// Prefills cost so much per token; an encoding of n positions costs a + b n, one of a single
// position a cost of its own, since kernels for one vector are others. A policy costs what it did
// for lists of about as many items after about as many rounds. All forget slowly, so the estimates
// follow a machine whose load changes. Not thread-safe.
class CostModel {
 public:
  // Of passes of the LLM, by all the tokens that went through it.
  void observe_prefill(std::size_t n_tokens, double ms);
  void observe_encoding(std::size_t n_tokens, double ms);
  // One RankingPolicy::score of that policy; n_items and n_rounds >= 1.
  void observe_policy(std::string_view policy, std::size_t n_items, std::size_t n_rounds,
                      double ms);

  // Expected milliseconds; nullopt before the first observation of its kind (of its policy).
  // Nothing costs nothing.
  std::optional<double> prefill_ms(std::size_t n_tokens) const;
  std::optional<double> encoding_ms(std::size_t n_tokens) const;
  std::optional<double> policy_ms(std::string_view policy, std::size_t n_items,
                                  std::size_t n_rounds) const;
  // Has an encoding of one position been seen?
  bool knows_single() const noexcept { return single_.weight > 0; }

  // Something was not started because its estimate said that there is no time. What is not tried
  // can't correct its estimate, so each refusal takes a tenth off the trust in it, until a try
  // tells; of a policy, which can't be given up at a deadline, a thousandth. The estimate itself
  // stays: only a try that took less takes anything off it. To be called once for a request, and
  // for a list, however many windows it has.
  void doubt(CostKind kind);
  // How much of an estimate is to fit into the time there is, so that it is tried; in (0, 1].
  double trust(CostKind kind) const noexcept { return trust_of(kind); }
  // One was tried and given up, too early to tell more than was known.
  void note_vain_try(CostKind kind) { trust_of(kind) = 1; }

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
    void observe(double n_tokens, double cost, double trust);
    void scale(double factor);
    double at(double n_tokens) const;
  };
  // What a policy took, by about how many items and rounds: the weighted means of the logarithms of
  // these numbers, and of the milliseconds.
  struct PolicyCalls {
    double weight = 0, log_items = 0, log_rounds = 0, ms = 0;
  };
  using PolicyTable = std::map<std::pair<int, int>, PolicyCalls>;  // by octaves

  double& trust_of(CostKind kind) noexcept { return trust_[static_cast<std::size_t>(kind)]; }
  double trust_of(CostKind kind) const noexcept { return trust_[static_cast<std::size_t>(kind)]; }
  double take_trust(CostKind kind);

  Line prefill_;
  Line encoding_{.typical_base = kTypicalBase};  // of several positions
  Line single_{.typical_base = kTypicalBase};    // of one
  std::map<std::string, PolicyTable, std::less<>> policies_;
  std::array<double, 3> trust_{1, 1, 1};  // by CostKind
};

}  // namespace rsd
