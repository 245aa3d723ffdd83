#include "rsd/train/gradient_variance.h"

#include <random>
#include <span>
#include <utility>

#include "rsd/core/check.h"
#include "train/rpo_batch.h"

namespace rsd {
namespace {

// Mean and variance of a vector over many draws, in one pass (Welford 1962).
class RunningVariance {
 public:
  explicit RunningVariance(std::size_t size) : mean_(size, 0.0) {}

  void add(std::span<const float> drawn) {
    ++n_;
    const double share = 1 / static_cast<double>(n_);
    for (std::size_t i = 0; i < mean_.size(); ++i) {
      const double difference = drawn[i] - mean_[i];
      mean_[i] += share * difference;
      squares_ += difference * (drawn[i] - mean_[i]);
    }
  }

  // A batch whose gradient is zero.
  void add_zero() { add(std::vector<float>(mean_.size(), 0.0F)); }

  GradientVariance result() const {
    const double variance = squares_ / static_cast<double>(n_ - 1);
    double squared_mean = 0;
    for (const double value : mean_)
      squared_mean += value * value;
    return {.variance = variance,
            .squared_mean = squared_mean - variance / static_cast<double>(n_)};
  }

 private:
  std::size_t n_ = 0;
  std::vector<double> mean_;
  double squares_ = 0;  // summed over the vector's elements
};

// What decides the credit of a play.
struct Answers {
  std::vector<Ranking> of_plays;
  Ranking of_reference;
};

Answers answers_of(const RequestPlays& played) {
  Answers answers{.of_plays = {}, .of_reference = played.reference.answer};
  answers.of_plays.reserve(played.plays.size());
  for (const Play& one : played.plays)
    answers.of_plays.push_back(one.trajectory.answer);
  return answers;
}

std::vector<double> credited(const Credit& credit, const Answers& answers, const Ranking& target) {
  std::vector<double> returns;
  returns.reserve(answers.of_plays.size());
  for (const Ranking& answer : answers.of_plays)
    returns.push_back(return_of(credit.return_kind, answer, target));
  return advantages_of(credit.advantage, credit.scale, returns,
                       return_of(credit.return_kind, answers.of_reference, target));
}

class VarianceRun {
 public:
  VarianceRun(const RpoAgents& agents, const Ranking& target, const VarianceOptions& options)
      : agents_(agents),
        target_(target),
        options_(options),
        estimates_(options.credits.size(), RunningVariance(agents.agent.weights().size())) {}

  // Adds the gradient of one batch, credited in each way.
  void add(RequestPlays&& played) {
    const Answers answers = answers_of(played);
    RpoBatch batch;
    batch.add(std::move(played), std::vector<double>(options_.rpo.rollouts, 0.0));
    batch.compare_with(agents_.reference, options_.rpo.threads);
    for (std::size_t c = 0; c < estimates_.size(); ++c) {
      if (batch.actions.empty()) {
        estimates_[c].add_zero();
        continue;
      }
      const auto advantages = credited(options_.credits[c], answers, target_);
      for (std::size_t i = 0; i < batch.actions.size(); ++i)
        batch.actions[i].advantage = advantages[batch.owners[i]];
      const auto& rpo = options_.rpo;
      estimates_[c].add(gradient_of(agents_.agent, batch, rpo.terms, rpo.threads).gradient);
    }
  }

  std::vector<GradientVariance> results() const {
    std::vector<GradientVariance> results;
    results.reserve(estimates_.size());
    for (const RunningVariance& estimate : estimates_)
      results.push_back(estimate.result());
    return results;
  }

 private:
  const RpoAgents& agents_;
  const Ranking& target_;
  const VarianceOptions& options_;
  std::vector<RunningVariance> estimates_;  // one per credit
};

}  // namespace

Result<std::vector<GradientVariance>> measure_gradient_variance(const RpoAgents& agents,
                                                                PositionScorer& scorer,
                                                                const Ranking& target,
                                                                const VarianceOptions& options) {
  RSD_CHECK(options.batches >= 2, "a variance of at least two");
  for (const Credit& credit : options.credits) {
    RpoOptions rpo = options.rpo;
    rpo.advantage = credit.advantage;
    rpo.advantage_scale = credit.scale;
    if (auto checked = check_options(rpo); !checked) return checked.error();
  }
  VarianceRun run(agents, target, options);
  std::mt19937_64 random(options.rpo.seed);
  for (std::size_t n = 0; n < options.batches; ++n) {
    auto played = play(agents, scorer, options.rpo, random());
    if (!played) return played.error();
    run.add(*std::move(played));
  }
  return run.results();
}

}  // namespace rsd
