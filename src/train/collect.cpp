#include "rsd/train/collect.h"

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/decode/policies.h"
#include "rsd/decode/run.h"
#include "rsd/rank/presentation.h"
#include "rsd/train/episode.h"
#include "rsd/train/plackett_luce.h"

namespace rsd {
namespace {

// A hash that is the same on every machine, unlike std::hash.
std::uint64_t mixed(std::uint64_t state, std::uint64_t value) {
  state ^= value + 0x9e3779b97f4a7c15ULL + (state << 6U) + (state >> 2U);
  state *= 0xbf58476d1ce4e5b9ULL;
  return state ^ (state >> 29U);
}

class NoisyPolicy final : public RankingPolicy {
 public:
  NoisyPolicy(std::shared_ptr<const RankingPolicy> policy, double temperature, std::uint64_t seed)
      : policy_(std::move(policy)), temperature_(temperature), seed_(seed) {}

  std::string_view name() const noexcept override { return policy_->name(); }

  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t> encodings_left) const override {
    auto scores = policy_->score(history, encodings_left);
    if (!scores || temperature_ == 0) return scores;
    double mean = 0;
    double square = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < scores->size(); ++i) {
      if (history.placed()[i]) continue;
      mean += (*scores)[i];
      square += (*scores)[i] * (*scores)[i];
      ++count;
    }
    mean /= static_cast<double>(count);
    const double spread =
        std::sqrt(std::max(1e-12, square / static_cast<double>(count) - mean * mean));
    std::mt19937_64 random(mixed(seed_, history.rounds().size()));
    for (double& score : *scores)
      score = (score - mean) / spread + temperature_ * gumbel_noise(random);
    return scores;
  }

 private:
  std::shared_ptr<const RankingPolicy> policy_;
  double temperature_;
  std::uint64_t seed_;
};

// The policy, its noise and the draft of a decoding, varied by its number.
DecodingOptions decoding_options(const CollectOptions& options, std::size_t number,
                                 std::uint64_t seed) {
  constexpr std::array kTemperatures{0.0, 0.3, 0.1, 1.0};
  const std::array heuristics{replay_policy(), blend_policy(), argmax_policy()};
  const bool by_agent = options.agent && number % 2 == 0;
  auto policy = by_agent ? options.agent : heuristics[(number + seed) % heuristics.size()];
  DecodingOptions decoding;
  decoding.decoder = DecoderKind::kRsd;
  decoding.budget = options.budget;
  decoding.n_recent = kEveryRound;
  decoding.draft = (number / 2) % 2 == 0 ? Draft::kFirstToken : Draft::kInput;
  decoding.policy = noisy_policy(std::move(policy), kTemperatures[number % kTemperatures.size()],
                                 mixed(seed, number));
  return decoding;
}

}  // namespace

Result<Ranking> target_ranking(PositionScorer& scorer) {
  DecodingOptions options;
  options.decoder = DecoderKind::kAr;
  auto decoding = Decoding::create(scorer.n_items(), options);
  if (!decoding) return decoding.error();
  auto outcome = run(*decoding, scorer);
  if (!outcome) return outcome.error();
  return std::move(outcome->ranking);
}

std::shared_ptr<const RankingPolicy> noisy_policy(std::shared_ptr<const RankingPolicy> policy,
                                                  double temperature, std::uint64_t seed) {
  return std::make_shared<const NoisyPolicy>(std::move(policy), temperature, seed);
}

Result<std::vector<Trace>> collect(const Request& request, PositionScorer& scorer,
                                   const CollectOptions& options) {
  RSD_CHECK(options.n_decodings >= 1 && options.budget >= 1, "decodings with a budget");
  const auto target = target_ranking(scorer);
  if (!target) return target.error();
  const std::uint64_t seed = request_generator(options.seed, request.id)();
  std::vector<Trace> traces;
  for (std::size_t number = 0; number < options.n_decodings; ++number) {
    auto decoding = Decoding::create(scorer.n_items(), decoding_options(options, number, seed));
    if (!decoding) return decoding.error();
    const auto outcome = run(*decoding, scorer);
    if (!outcome) return outcome.error();
    traces.push_back(trace_of(request, "rsd", decoding->history(), outcome->ranking));
    traces.back().target = *target;
  }
  return traces;
}

}  // namespace rsd
