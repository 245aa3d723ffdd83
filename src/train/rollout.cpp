#include "rsd/train/rollout.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "rsd/core/check.h"
#include "rsd/train/plackett_luce.h"

namespace rsd {
namespace {

std::vector<std::size_t> greedy_ranking(const std::vector<double>& scores) {
  std::vector<std::size_t> ranking(scores.size());
  std::iota(ranking.begin(), ranking.end(), std::size_t{0});
  std::ranges::stable_sort(ranking, std::ranges::greater(),
                           [&](std::size_t i) { return scores[i]; });
  return ranking;
}

// The known prefix, then the items of the input in the order of `ranking`.
std::vector<ItemId> proposal_of(const History& history, const RolloutAction& action) {
  std::vector<ItemId> proposal(history.known().begin(), history.known().end());
  for (const std::size_t i : action.ranking)
    proposal.push_back(action.input.items[i]);
  return proposal;
}

class Rollout {
 public:
  Rollout(const RelevanceNetwork& agent, PositionScorer& scorer, const RolloutOptions& options,
          std::mt19937_64* random)
      : agent_(agent),
        scorer_(scorer),
        options_(options),
        random_(random),
        histories_(options.count, History(scorer.n_items())),
        trajectories_(options.count) {}

  Result<std::vector<Trajectory>> run() {
    if (auto filled = scorer_.prefill(std::nullopt); !filled) return filled.error();
    if (auto encoded = first_encoding(); !encoded) return encoded.error();
    for (std::size_t left = options_.budget - 1; left > 0; --left) {
      act(left);
      for (std::size_t g = 0; g < histories_.size(); ++g) {
        if (histories_[g].complete()) continue;
        auto proposal = proposal_of(histories_[g], trajectories_[g].actions.back());
        const RowRange rows = histories_[g].missing_rows(proposal, proposal.size());
        if (auto encoded = encode(histories_[g], std::move(proposal), rows); !encoded) {
          return encoded.error();
        }
      }
    }
    act(0);
    for (std::size_t g = 0; g < histories_.size(); ++g)
      trajectories_[g].answer = answer_of(g);
    return std::move(trajectories_);
  }

 private:
  // All trajectories begin with the same proposal, which the agent has no say in.
  Result<void> first_encoding() {
    std::vector<ItemId> proposal;
    if (options_.draft == Draft::kInput) {
      const auto input_order = Ranking::identity(scorer_.n_items());
      proposal.assign(input_order.items().begin(), input_order.items().end());
    }
    const RowRange rows{0, std::max<std::size_t>(proposal.size(), 1)};
    if (auto encoded = encode(histories_.front(), std::move(proposal), rows); !encoded) {
      return encoded;
    }
    std::fill(histories_.begin() + 1, histories_.end(), histories_.front());
    return {};
  }

  Result<void> encode(History& history, std::vector<ItemId> proposal, RowRange rows) {
    auto encoding =
        scorer_.encode({.proposal = proposal, .rows = rows, .give_up_at = std::nullopt});
    if (!encoding) return encoding.error();
    return history.add(std::move(proposal), rows, encoding->rows);
  }

  // One ranking for each trajectory in which something is left to order.
  void act(std::size_t encodings_left) {
    std::vector<std::size_t> acting;
    std::vector<AgentInput> inputs;
    for (std::size_t g = 0; g < histories_.size(); ++g) {
      if (histories_[g].complete()) continue;
      acting.push_back(g);
      inputs.push_back(agent_input(histories_[g], encodings_left, agent_.shape().input));
    }
    const auto scores = agent_.scores(inputs, options_.threads);
    for (std::size_t n = 0; n < acting.size(); ++n) {
      RolloutAction action{.input = std::move(inputs[n]), .ranking = {}};
      action.ranking = random_ ? sample_ranking(scores[n], *random_) : greedy_ranking(scores[n]);
      action.log_probability = log_likelihood(scores[n], action.ranking).value;
      trajectories_[acting[n]].actions.push_back(std::move(action));
    }
  }

  Ranking answer_of(std::size_t g) const {
    const History& history = histories_[g];
    std::vector<ItemId> answer(history.known().begin(), history.known().end());
    if (!history.complete()) answer = proposal_of(history, trajectories_[g].actions.back());
    auto ranking = Ranking::create(std::move(answer));
    RSD_CHECK(ranking.ok(), "an answer that is a permutation");
    return *std::move(ranking);
  }

  const RelevanceNetwork& agent_;
  PositionScorer& scorer_;
  const RolloutOptions& options_;
  std::mt19937_64* random_;  // null: greedy
  std::vector<History> histories_;
  std::vector<Trajectory> trajectories_;
};

}  // namespace

Result<std::vector<Trajectory>> sample_trajectories(const RelevanceNetwork& agent,
                                                    PositionScorer& scorer,
                                                    const RolloutOptions& options,
                                                    std::mt19937_64& random) {
  RSD_CHECK(options.count >= 1 && options.budget >= 1, "trajectories with a budget");
  return Rollout(agent, scorer, options, &random).run();
}

Result<Trajectory> greedy_trajectory(const RelevanceNetwork& agent, PositionScorer& scorer,
                                     const RolloutOptions& options) {
  RSD_CHECK(options.budget >= 1, "a trajectory with a budget");
  RolloutOptions one = options;
  one.count = 1;
  auto trajectories = Rollout(agent, scorer, one, nullptr).run();
  if (!trajectories) return trajectories.error();
  return std::move(trajectories->front());
}

}  // namespace rsd
