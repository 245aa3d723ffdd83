#include "rsd/train/ceiling.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "rsd/core/check.h"
#include "rsd/decode/decoding.h"
#include "rsd/rank/agreement.h"
#include "rsd/train/rollout.h"

namespace rsd {
namespace {

constexpr std::size_t kPlaysAtOnce = 16;  // each keeps a proposal in the LLM's memory

class CeilingRun {
 public:
  CeilingRun(const RelevanceNetwork& agent, PositionScorer& scorer, const Ranking& target,
             const CeilingOptions& options)
      : agent_(agent),
        scorer_(scorer),
        target_(target),
        options_(options),
        rollout_{.budget = options.budget,
                 .draft = default_draft(DecoderKind::kRsd, options.budget),
                 .threads = options.threads} {}

  Result<Ceiling> run() {
    Ceiling ceiling;
    const Actor greedy{.agent = &agent_};
    auto taus = play({&greedy, 1});
    if (!taus) return taus.error();
    ceiling.greedy = ceiling.best = taus->front();
    for (std::size_t round = 0; round + 1 < options_.budget; ++round) {
      auto sampled = play_sampled(round);
      if (!sampled) return sampled.error();
      ceiling.best_by_round.push_back(*std::ranges::max_element(*sampled));
      ceiling.mean_by_round.push_back(std::accumulate(sampled->begin(), sampled->end(), 0.0) /
                                      static_cast<double>(sampled->size()));
      ceiling.best = std::max(ceiling.best, ceiling.best_by_round.back());
    }
    return ceiling;
  }

 private:
  // The tau of each of `samples` plays.
  Result<std::vector<double>> play_sampled(std::size_t round) {
    std::mt19937_64 random(options_.seed + round);
    std::vector<double> taus;
    while (taus.size() < options_.samples) {
      const Actor sampling{
          .agent = &agent_, .random = &random, .first_sampled = round, .end_sampled = round + 1};
      const std::vector<Actor> actors(std::min(kPlaysAtOnce, options_.samples - taus.size()),
                                      sampling);
      auto some = play(actors);
      if (!some) return some.error();
      taus.insert(taus.end(), some->begin(), some->end());
    }
    return taus;
  }

  Result<std::vector<double>> play(std::span<const Actor> actors) {
    auto trajectories = roll_out(actors, scorer_, rollout_);
    if (!trajectories) return trajectories.error();
    std::vector<double> taus;
    for (const Trajectory& trajectory : *trajectories)
      taus.push_back(kendall_tau(trajectory.answer, target_));
    return taus;
  }

  const RelevanceNetwork& agent_;
  PositionScorer& scorer_;
  const Ranking& target_;
  const CeilingOptions& options_;
  RolloutOptions rollout_;
};

}  // namespace

Result<Ceiling> measure_ceiling(const RelevanceNetwork& agent, PositionScorer& scorer,
                                const Ranking& target, const CeilingOptions& options) {
  RSD_CHECK(options.budget >= 2 && options.samples >= 1, "proposals, and samples of them");
  return CeilingRun(agent, scorer, target, options).run();
}

}  // namespace rsd
