// A synthetic LLM for tests: its logits are a deterministic function of the prefix.
//
//   logit(item | prefix) = relevance(item)
//                        + pair_noise     * noise(item, last item of the prefix)
//                        + position_noise * noise(item, length of the prefix)
//                        + prefix_noise   * noise(item, the whole prefix)
//                        - identifier_bias * item
//
// As with a causal LLM, row j depends on the first j items of the proposal and on nothing else. The
// noise is about normal with variance 1, comes from a hash, and is the same on every machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "rsd/core/check.h"
#include "rsd/decode/history.h"
#include "rsd/decode/position_scorer.h"

namespace rsd {

struct SyntheticOptions {
  std::uint64_t seed = 1;
  std::size_t n_items = 10;
  // One an item; where empty, noise of the strength below.
  std::vector<double> relevance;
  double relevance_spread = 2.0;
  double pair_noise = 1.0;
  double position_noise = 0.5;
  double prefix_noise = 0.0;
  double identifier_bias = 0.0;
  // Logits are rounded to multiples of it, which provokes ties; 0 = not rounded.
  double quantum = 0.0;
  std::size_t n_prompt_tokens = 100;
  // The times that are reported; none of it is waited for.
  double ms_per_prompt_token = 1.0;
  double ms_per_encoding = 5.0;
  double ms_per_token = 2.0;
  // The encoding (0-based, the prefill not counted) that fails with kRuntime, once.
  std::optional<std::size_t> failing_encoding;
};

// Counts what it is asked for and checks that it is asked properly (LogicError otherwise).
class SyntheticScorer : public PositionScorer {
 public:
  explicit SyntheticScorer(SyntheticOptions options) : options_(std::move(options)) {
    if (!options_.relevance.empty()) options_.n_items = options_.relevance.size();
    RSD_CHECK(options_.n_items >= 1, "a request without items");
    for (std::size_t i = options_.relevance.size(); i < options_.n_items; ++i) {
      options_.relevance.push_back(options_.relevance_spread * noise(1, i, 0));
    }
  }

  std::size_t n_items() const noexcept override { return options_.n_items; }
  std::size_t n_prefill_tokens() const override { return options_.n_prompt_tokens - n_begun_; }

  Result<Prefill> prefill(std::optional<Clock::time_point> /*give_up_at*/) override {
    ++prefill_calls_;
    const auto n_tokens = options_.n_prompt_tokens;
    return Prefill{.n_tokens = n_tokens,
                   .ms = options_.ms_per_prompt_token * static_cast<double>(n_tokens)};
  }

  // As an LLM does it that can stop within a prompt (PassPart::max_tokens).
  Prefill prefill_piece(std::size_t max_tokens) {
    const std::size_t n_left = n_prefill_tokens();
    const std::size_t n_tokens = std::min(max_tokens, n_left);
    ++prefill_calls_;
    n_begun_ = n_tokens < n_left ? n_begun_ + n_tokens : 0;
    return {.n_tokens = n_tokens,
            .ms = options_.ms_per_prompt_token * static_cast<double>(n_tokens),
            .n_left = n_left - n_tokens};
  }

  void forget_proposals() override {
    ++forget_calls_;
    cached_.clear();
  }

  Result<Encoding> encode(const EncodingQuery& query) override {
    check(query);
    if (options_.failing_encoding == encodings_++) {
      return Error(ErrorCode::kRuntime, "the synthetic scorer fails as the test asked");
    }
    Encoding encoding{.rows = LogitMatrix(query.rows.size(), n_items())};
    for (std::size_t j = query.rows.first; j < query.rows.end; ++j) {
      for (std::size_t i = 0; i < n_items(); ++i) {
        encoding.rows.row(j - query.rows.first)[i] = logit(query.proposal.first(j), ItemId(i));
      }
    }
    encoding.n_tokens = encode_tokens(query);
    if (encoding.n_tokens > 0) {
      encoding.ms =
          options_.ms_per_encoding + options_.ms_per_token * static_cast<double>(encoding.n_tokens);
    }
    return encoding;
  }

  // The logit itself; tests override it for NaN, infinities or tables of their own.
  virtual float logit(std::span<const ItemId> prefix, ItemId item) const {
    const auto i = static_cast<std::uint64_t>(item.value());
    const auto last = prefix.empty() ? std::uint64_t{0} : prefix.back().slot() + 1;
    double value = options_.relevance[item.slot()];
    if (options_.pair_noise != 0) value += options_.pair_noise * noise(2, i, last);
    if (options_.position_noise != 0) {
      value += options_.position_noise * noise(3, i, prefix.size());
    }
    if (options_.prefix_noise != 0) {
      std::uint64_t digest = 0;
      for (const ItemId placed : prefix)
        digest = mixed(digest ^ (placed.slot() + 1));
      value += options_.prefix_noise * noise(4, i, digest);
    }
    value -= options_.identifier_bias * static_cast<double>(i);
    if (options_.quantum > 0) value = std::round(value / options_.quantum) * options_.quantum;
    return static_cast<float>(value);
  }

  // The target ranking, found the plainest way: one row after the other.
  std::vector<ItemId> target() const {
    std::vector<ItemId> ranking;
    std::vector<bool> placed(n_items(), false);
    std::vector<float> row(n_items());
    while (ranking.size() < n_items()) {
      for (std::size_t i = 0; i < n_items(); ++i)
        row[i] = logit(ranking, ItemId(i));
      ranking.push_back(masked_argmax(row, placed));
      placed[ranking.back().slot()] = true;
    }
    return ranking;
  }

  const SyntheticOptions& options() const noexcept { return options_; }
  std::size_t prefill_calls() const noexcept { return prefill_calls_; }
  std::size_t forget_calls() const noexcept { return forget_calls_; }
  // Calls of encode(), and the proposals' tokens that went through the "LLM" for them.
  std::size_t encodings() const noexcept { return encodings_; }
  std::size_t tokens_encoded() const noexcept { return tokens_encoded_; }

 private:
  void check(const EncodingQuery& query) const {
    RSD_CHECK(prefill_calls_ > 0, "encode before prefill");
    RSD_CHECK(query.rows.first < query.rows.end, "an encoding without rows");
    RSD_CHECK(query.rows.end <= query.proposal.size() + 1 && query.rows.end <= n_items(),
              "rows behind the proposal");
    std::vector<bool> seen(n_items(), false);
    for (const ItemId item : query.proposal) {
      RSD_CHECK(item.value() >= 0 && item.slot() < n_items(), "an item that the request lacks");
      RSD_CHECK(!seen[item.slot()], "an item that is proposed twice");
      seen[item.slot()] = true;
    }
  }

  // Row j comes out at item j-1; the cache serves what agrees with the last proposal and stands
  // before the first wanted row.
  std::size_t encode_tokens(const EncodingQuery& query) {
    const std::size_t needed = query.rows.end - 1;
    const std::size_t first_item = std::max<std::size_t>(query.rows.first, 1) - 1;
    const auto same = static_cast<std::size_t>(std::ranges::mismatch(cached_, query.proposal).in1 -
                                               cached_.begin());
    const std::size_t kept = std::min({same, first_item, needed});
    if (needed == kept) return 0;
    cached_.assign(query.proposal.begin(),
                   query.proposal.begin() + static_cast<std::ptrdiff_t>(needed));
    tokens_encoded_ += needed - kept;
    return needed - kept;
  }

  // splitmix64's finaliser (Steele, Lea and Flood 2014).
  static constexpr std::uint64_t mixed(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }

  // A sum of four uniform numbers, scaled to variance 1.
  double noise(std::uint64_t kind, std::uint64_t item, std::uint64_t condition) const {
    std::uint64_t bits = mixed(mixed(mixed(mixed(options_.seed) ^ kind) ^ item) ^ condition);
    double sum = 0;
    for (int k = 0; k < 4; ++k, bits >>= 16)
      sum += static_cast<double>(bits & 0xffff) / 65535.0;
    return (sum - 2.0) * std::sqrt(3.0);
  }

  SyntheticOptions options_;
  std::size_t prefill_calls_ = 0;
  std::size_t n_begun_ = 0;  // tokens of a prompt that is encoded in pieces
  std::size_t forget_calls_ = 0;
  std::size_t encodings_ = 0;
  std::size_t tokens_encoded_ = 0;
  std::vector<ItemId> cached_;
};

// What BatchScorer::encode_parts gives: each part by itself, for LLMs that serve synthetic scorers.
inline Result<std::vector<PartResult>> encode_one_by_one(std::span<const PassPart> parts) {
  std::vector<PartResult> results;
  for (const PassPart& part : parts) {
    if (part.query) {
      auto encoding = part.scorer->encode(*part.query);
      if (!encoding) return encoding.error();
      results.emplace_back(*std::move(encoding));
    } else if (auto* const synthetic = dynamic_cast<SyntheticScorer*>(part.scorer)) {
      results.emplace_back(synthetic->prefill_piece(part.max_tokens));
    } else {
      auto prefill = part.scorer->prefill(std::nullopt);
      if (!prefill) return prefill.error();
      results.emplace_back(*prefill);
    }
  }
  return results;
}

}  // namespace rsd
