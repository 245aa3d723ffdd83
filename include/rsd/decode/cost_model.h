// Estimates the cost of a request's steps on this machine, learned from earlier steps.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rsd {

// A prefill has a cost per token. An encoding of n positions costs a + b n; one of a single
// position has its own cost, since kernels for single vectors differ. A policy's cost is the mean
// over similar calls, by numbers of items and rounds. All estimates forget slowly and so follow a
// changing load. Not thread-safe.
class CostModel {
 public:
  enum class Kind { kPrefill, kEncoding, kPolicy };

  // Records a pass of the LLM; `n_tokens` counts all tokens of the pass.
  void observe_prefill(std::size_t n_tokens, double ms);
  void observe_encoding(std::size_t n_tokens, double ms);
  // Records one call of that policy's RankingPolicy::score; n_items and n_rounds >= 1.
  void observe_policy(std::string_view policy, std::size_t n_items, std::size_t n_rounds,
                      double ms);

  // Expected milliseconds; nullopt before the first observation of that kind, or of that policy. 0
  // tokens cost 0 ms.
  std::optional<double> prefill_ms(std::size_t n_tokens) const;
  std::optional<double> encoding_ms(std::size_t n_tokens) const;
  std::optional<double> policy_ms(std::string_view policy, std::size_t n_items,
                                  std::size_t n_rounds) const;
  // True if an encoding of one position was observed.
  bool knows_single() const noexcept { return single_.weight > 0; }

  // Call this when a step was refused because its estimate exceeded the time left. A step that
  // never runs can't correct its estimate, so each refusal lowers the trust in the estimate by a
  // tenth (by a thousandth for policies, which can't be aborted at a deadline) until the step is
  // tried. The estimate itself only falls when a step took less. Call once per request, and once
  // per list, however many windows it has.
  void doubt(Kind kind);
  // A step is started if this fraction of its estimate fits into the time left; in (0, 1].
  double trust(Kind kind) const noexcept { return trust_of(kind); }
  // A step was tried but aborted too early to improve its estimate: trust is restored.
  void note_vain_try(Kind kind) { trust_of(kind) = 1; }

 private:
  // In units of the cost per token. Measured on CPUs: 4 positions cost as much as 2.1 single ones,
  // 20 as much as 8.
  static constexpr double kTypicalBase = 1.7;
  // Exponentially weighted sums of a least-squares line.
  struct Line {
    // The constant a of the line, in units of b, used until different sizes were observed; 0 =
    // unknown.
    double typical_base = 0;
    double weight = 0, n = 0, nn = 0, ms = 0, n_ms = 0;
    // The slope when the sizes last differed enough to fit one. Without it, a decoder that has
    // settled on single positions would forget the cost of longer encodings.
    std::optional<double> slope;
    double variance() const;
    void observe(double n_tokens, double cost, double trust);
    void scale(double factor);
    double at(double n_tokens) const;
  };
  // Weighted means over a policy's calls with similar numbers of items and rounds: the logarithms
  // of these numbers, and the milliseconds.
  struct PolicyCalls {
    double weight = 0, log_items = 0, log_rounds = 0, ms = 0;
  };
  using PolicyTable = std::map<std::pair<int, int>, PolicyCalls>;  // by octaves of items and rounds

  double& trust_of(Kind kind) noexcept { return trust_[static_cast<std::size_t>(kind)]; }
  double trust_of(Kind kind) const noexcept { return trust_[static_cast<std::size_t>(kind)]; }
  double take_trust(Kind kind);

  Line prefill_;
  Line encoding_{.typical_base = kTypicalBase};  // several positions
  Line single_{.typical_base = kTypicalBase};    // a single position
  std::map<std::string, PolicyTable, std::less<>> policies_;
  std::array<double, 3> trust_{1, 1, 1};  // by Kind
};

}  // namespace rsd
