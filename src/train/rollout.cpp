#include "rsd/train/rollout.h"

#include <algorithm>
#include <functional>
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

std::vector<std::size_t> ranking_with(const std::vector<double>& noise, std::vector<double> scores,
                                      const std::vector<ItemId>& items) {
  for (std::size_t i = 0; i < scores.size(); ++i)
    scores[i] += noise[items[i].slot()];
  return greedy_ranking(scores);
}

// `number` counts the rankings that the actor has given before.
std::vector<std::size_t> ranking_of(const Actor& actor, std::size_t number,
                                    const std::vector<double>& scores,
                                    const std::vector<ItemId>& items) {
  if (number < actor.noise.size()) return ranking_with(actor.noise[number], scores, items);
  const bool is_sampled =
      actor.random != nullptr && number >= actor.first_sampled && number < actor.end_sampled;
  return is_sampled ? sample_ranking(scores, *actor.random) : greedy_ranking(scores);
}

// The known prefix, then the items of the input in the order of `ranking`.
std::vector<ItemId> proposal_of(const History& history, const RolloutAction& action) {
  std::vector<ItemId> proposal(history.known().begin(), history.known().end());
  proposal.reserve(history.n_items());
  for (const std::size_t i : action.ranking)
    proposal.push_back(action.input.items[i]);
  return proposal;
}

class Rollout {
 public:
  Rollout(std::span<const Actor> actors, PositionScorer& scorer, const RolloutOptions& options)
      : actors_(actors),
        scorer_(scorer),
        options_(options),
        histories_(actors.size(), History(scorer.n_items(), kEveryRound)),
        trajectories_(actors.size()) {}

  Result<std::vector<Trajectory>> run() {
    if (auto filled = scorer_.prefill(std::nullopt); !filled) return filled.error();
    if (auto encoded = first_encoding(); !encoded) return encoded.error();
    for (std::size_t left = options_.budget - 1; left > 0; --left) {
      act(left);
      if (auto encoded = encode_proposals(); !encoded) return encoded.error();
    }
    act(0);
    for (std::size_t g = 0; g < histories_.size(); ++g)
      trajectories_[g].answer = answer_of(g);
    return std::move(trajectories_);
  }

 private:
  // All trajectories begin with the same proposal, which does not depend on an agent.
  Result<void> first_encoding() {
    std::vector<ItemId> proposal;
    if (options_.draft == Draft::kInput) {
      const auto input_order = Ranking::identity(scorer_.n_items());
      proposal.assign(input_order.items().begin(), input_order.items().end());
    }
    const RowRange rows{0, std::max<std::size_t>(proposal.size(), 1)};
    auto encoding =
        scorer_.encode({.proposal = proposal, .rows = rows, .give_up_at = std::nullopt});
    if (!encoding) return encoding.error();
    if (auto added = histories_.front().add(std::move(proposal), rows, encoding->rows); !added) {
      return added;
    }
    std::fill(histories_.begin() + 1, histories_.end(), histories_.front());
    return {};
  }

  // Encodes the proposals of the trajectories that are not completely known.
  Result<void> encode_proposals() {
    const auto open = open_trajectories();
    if (open.empty()) return {};
    std::vector<std::vector<ItemId>> proposals;
    std::vector<EncodingQuery> queries;
    std::vector<std::size_t> query_of;  // for each open trajectory
    proposals.reserve(open.size());     // queries refer to them
    for (const std::size_t g : open) {
      const auto& proposal =
          proposals.emplace_back(proposal_of(histories_[g], trajectories_[g].actions.back()));
      const EncodingQuery query{.proposal = proposal,
                                .rows = histories_[g].missing_rows(proposal, proposal.size()),
                                .give_up_at = std::nullopt,
                                .lane = g};
      query_of.push_back(place_of(query, queries));
      if (query_of.back() == queries.size()) queries.push_back(query);
    }
    auto encodings = scorer_.encode_all(queries);
    if (!encodings) return encodings.error();
    for (std::size_t n = 0; n < open.size(); ++n) {
      const std::size_t q = query_of[n];
      auto added =
          histories_[open[n]].add(std::move(proposals[n]), queries[q].rows, (*encodings)[q].rows);
      if (!added) return added;
    }
    return {};
  }

  // Where `queries` has what answers `query`, too; else their number.
  std::size_t place_of(const EncodingQuery& query,
                       const std::vector<EncodingQuery>& queries) const {
    if (!options_.shares_encodings) return queries.size();
    const auto same = std::ranges::find_if(queries, [&](const EncodingQuery& other) {
      return other.rows == query.rows && std::ranges::equal(other.proposal, query.proposal);
    });
    return static_cast<std::size_t>(same - queries.begin());
  }

  std::vector<std::size_t> open_trajectories() const {
    std::vector<std::size_t> open;
    for (std::size_t g = 0; g < histories_.size(); ++g)
      if (!histories_[g].complete()) open.push_back(g);
    return open;
  }

  // Adds one action to each trajectory that is not completely known.
  void act(std::size_t encodings_left) {
    const auto open = open_trajectories();
    for (std::size_t begin = 0, end = 0; begin < open.size(); begin = end) {
      const RelevanceNetwork* agent = actors_[open[begin]].agent;
      while (end < open.size() && actors_[open[end]].agent == agent)
        ++end;
      act(*agent, std::span(open).subspan(begin, end - begin), encodings_left);
    }
  }

  void act(const RelevanceNetwork& agent, std::span<const std::size_t> trajectories,
           std::size_t encodings_left) {
    std::vector<AgentInput> inputs;
    inputs.reserve(trajectories.size());
    for (const std::size_t g : trajectories)
      inputs.push_back(agent_input(histories_[g], encodings_left, agent.shape().input));
    const auto scores = agent.scores(inputs, options_.threads);
    for (std::size_t n = 0; n < trajectories.size(); ++n) {
      RolloutAction action{.input = std::move(inputs[n]), .ranking = {}};
      auto& actions = trajectories_[trajectories[n]].actions;
      action.ranking =
          ranking_of(actors_[trajectories[n]], actions.size(), scores[n], action.input.items);
      action.log_probability = log_likelihood(scores[n], action.ranking).value;
      actions.push_back(std::move(action));
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

  std::span<const Actor> actors_;
  PositionScorer& scorer_;
  const RolloutOptions& options_;
  std::vector<History> histories_;
  std::vector<Trajectory> trajectories_;
};

}  // namespace

Result<std::vector<Trajectory>> roll_out(std::span<const Actor> actors, PositionScorer& scorer,
                                         const RolloutOptions& options) {
  RSD_CHECK(!actors.empty() && options.budget >= 1, "trajectories with a budget");
  return Rollout(actors, scorer, options).run();
}

}  // namespace rsd
