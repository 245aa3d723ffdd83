#include "rsd/decode/policies.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "rsd/decode/replay.h"
#include "rsd/rank/ranking.h"

namespace rsd {
namespace {

// For each position the latest row. Rows after those of the last round come from earlier rounds,
// whose proposals had placed other items before them.
class LatestRows {
 public:
  explicit LatestRows(const History& history)
      : history_(history), first_(history.rounds().back().accepted) {
    for (std::size_t j = 0; j < n_rows(); ++j) {
      const std::size_t round = history.latest_round(j);
      if (j == 0 || round != history.latest_round(j - 1))
        used_up_at_.push_back(used_up_in(history.rounds()[round]));
      sources_.push_back(used_up_at_.size() - 1);
    }
  }

  // The first row whose position the last proposal got wrong; the last row when it got none wrong.
  std::size_t first_row() const { return std::min(first_, n_rows() - 1); }
  std::size_t n_rows() const { return history_.latest_rows().n_rows(); }
  std::span<const float> row(std::size_t j) const { return history_.latest_rows().row(j); }
  // By item: the first row of row j's round at which the item is already placed.
  const std::vector<std::size_t>& used_up_at(std::size_t j) const {
    return used_up_at_[sources_[j]];
  }

 private:
  // By item: the first row whose prefix holds the item.
  std::vector<std::size_t> used_up_in(const Round& round) const {
    std::vector<std::size_t> used_up_at(history_.n_items(), history_.n_items());
    for (std::size_t j = 0; j < round.proposal.size(); ++j)
      used_up_at[round.proposal[j].slot()] = j + 1;
    return used_up_at;
  }

  const History& history_;
  std::size_t first_;
  std::vector<std::vector<std::size_t>> used_up_at_;  // for each round that holds a latest row
  std::vector<std::size_t> sources_;                  // by row
};

double log_sum_exp(std::span<const float> row) {
  const double highest = *std::ranges::max_element(row);
  double sum = 0;
  for (const float logit : row)
    sum += std::exp(logit - highest);
  return highest + std::log(sum);
}

std::vector<double> as_scores(std::span<const float> row) {
  return {row.begin(), row.end()};
}

class FirstRow final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "first-row"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    return as_scores(history.rounds().front().logits.row(0));
  }
};

class FirstDisagreement final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "first-disagreement"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    const LatestRows rows(history);
    return as_scores(rows.row(rows.first_row()));
  }
};

class Argmax final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "argmax"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    const LatestRows rows(history);
    const std::size_t n = history.n_items();
    std::vector<bool> placed = history.placed();
    // Items for which no row is left follow in the order of the last row, below all placed items.
    std::vector<double> scores(n);
    const auto tail = Ranking::by_score(as_scores(rows.row(rows.n_rows() - 1))).positions();
    for (std::size_t i = 0; i < n; ++i)
      scores[i] = -static_cast<double>(n + tail[i].slot());
    for (std::size_t j = history.known().size(); j < rows.n_rows(); ++j) {
      const ItemId choice = masked_argmax(rows.row(j), placed);
      placed[choice.slot()] = true;
      scores[choice.slot()] = -static_cast<double>(j);
    }
    return scores;
  }
};

class MeanLogProb final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "mean-logprob"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    const LatestRows rows(history);
    std::vector<double> sums(history.n_items(), 0.0);
    for (std::size_t j = rows.first_row(); j < rows.n_rows(); ++j) {
      const auto row = rows.row(j);
      const double normaliser = log_sum_exp(row);
      for (std::size_t i = 0; i < row.size(); ++i)
        sums[i] += row[i] - normaliser;
    }
    return sums;
  }
};

// Pairwise preferences: weighted mean logit differences over the rows at which neither item was
// placed yet. The last of these rows, just before one of them is placed, weighs most. They are the
// first rows of a round, so prefix sums over each round's rows give all pairs in O(n^2) per round.
class PairMargins {
 public:
  PairMargins(const LatestRows& rows, std::size_t n_items, double recency) : n_items_(n_items) {
    for (std::size_t j = rows.first_row(); j < rows.n_rows(); ++j) {
      const auto* used_up_at = &rows.used_up_at(j);
      if (blocks_.empty() || blocks_.back().used_up_at != used_up_at)
        blocks_.push_back(
            {.first_row = j, .used_up_at = used_up_at, .sums = std::vector(n_items, 0.0)});
      blocks_.back().append(rows.row(j), recency);
    }
  }

  // The preference for a over b; 0 if there is no such row.
  double operator()(std::size_t a, std::size_t b) const {
    double sum = 0;
    double weight = 0;
    for (const Block& block : blocks_) {
      const std::size_t end = std::min({(*block.used_up_at)[a], (*block.used_up_at)[b],
                                        block.first_row + block.weights.size() - 1});
      if (end <= block.first_row) continue;
      const std::size_t n_shared = end - block.first_row;
      const double* sums = block.sums.data() + n_shared * n_items_;
      sum = block.decays[n_shared] * sum + sums[a] - sums[b];
      weight = block.decays[n_shared] * weight + block.weights[n_shared];
    }
    return weight > 0 ? sum / weight : 0;
  }

 private:
  // The rows of one round, and their weighted sums over the first m rows for every m.
  struct Block {
    std::size_t first_row = 0;
    const std::vector<std::size_t>* used_up_at = nullptr;
    std::vector<double> sums;           // [m + 1, n] of the logits
    std::vector<double> weights = {0};  // [m + 1]
    std::vector<double> decays = {1};   // [m + 1] the factor that remains of earlier weights

    void append(std::span<const float> row, double recency) {
      const std::size_t last = sums.size() - row.size();
      for (std::size_t i = 0; i < row.size(); ++i)
        sums.push_back(recency * sums[last + i] + row[i]);
      weights.push_back(recency * weights.back() + 1);
      decays.push_back(recency * decays.back());
    }
  };

  std::size_t n_items_;
  std::vector<Block> blocks_;
};

class Pairwise final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "pairwise"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    const LatestRows rows(history);
    const std::size_t n = history.n_items();
    const PairMargins margins(rows, n, kRecency);
    std::vector<double> wins(n, 0.0);
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        const double preference = std::tanh(margins(a, b) / kTemperature);
        wins[a] += preference;
        wins[b] -= preference;
      }
    }
    return wins;
  }

 private:
  // Tuned on training requests (docs/measurements.md); the order is not sensitive to them.
  static constexpr double kRecency = 0.4;
  static constexpr double kTemperature = 0.5;
};

// The sum of the policies' ranks of the pending items (Borda's count).
class Blend final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "blend"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t> encodings_left) const override {
    std::vector<double> scores(history.n_items(), 0.0);
    for (const auto& policy : {mean_log_prob_policy(), pairwise_policy(), argmax_policy()}) {
      const auto part = policy->score(history, encodings_left);
      if (!part) return part.error();
      const Ranking ranking = Ranking::with_prefix(history.known(), *part);
      const auto positions = ranking.positions();
      for (std::size_t i = 0; i < scores.size(); ++i)
        scores[i] -= positions[i].value();
    }
    return scores;
  }
};

class ReplayPolicy final : public RankingPolicy {
 public:
  std::string_view name() const noexcept override { return "replay"; }
  Result<std::vector<double>> score(const History& history,
                                    std::optional<std::size_t>) const override {
    const std::span<const Round> rounds(history.rounds());
    const auto rows = distinct_rows(rounds.last(std::min(rounds.size(), rounds_read())));
    const Replay replayed = replay(rows, history.known());
    std::vector<double> scores(history.n_items());
    for (std::size_t place = 0; place < replayed.order.size(); ++place)
      scores[replayed.order[place].slot()] = -static_cast<double>(place);
    return scores;
  }

  // Bounds the cost; the prefixes of older rounds are far from the current one.
  std::size_t rounds_read() const noexcept override { return kRecentRounds; }
};

template <class Policy>
std::shared_ptr<const RankingPolicy> shared() {
  static const auto policy = std::make_shared<const Policy>();
  return policy;
}

}  // namespace

std::shared_ptr<const RankingPolicy> first_row_policy() {
  return shared<FirstRow>();
}
std::shared_ptr<const RankingPolicy> first_disagreement_policy() {
  return shared<FirstDisagreement>();
}
std::shared_ptr<const RankingPolicy> argmax_policy() {
  return shared<Argmax>();
}
std::shared_ptr<const RankingPolicy> mean_log_prob_policy() {
  return shared<MeanLogProb>();
}

std::shared_ptr<const RankingPolicy> pairwise_policy() {
  return shared<Pairwise>();
}
std::shared_ptr<const RankingPolicy> blend_policy() {
  return shared<Blend>();
}
std::shared_ptr<const RankingPolicy> replay_policy() {
  return shared<ReplayPolicy>();
}

namespace {

std::vector<std::shared_ptr<const RankingPolicy>> all_policies() {
  return {replay_policy(),        blend_policy(),  pairwise_policy(),
          mean_log_prob_policy(), argmax_policy(), first_disagreement_policy(),
          first_row_policy()};
}

}  // namespace

std::vector<std::string_view> policy_names() {
  std::vector<std::string_view> names;
  for (const auto& policy : all_policies())
    names.push_back(policy->name());
  return names;
}

Result<std::shared_ptr<const RankingPolicy>> policy_by_name(std::string_view name) {
  std::string known;
  for (const auto& policy : all_policies()) {
    if (policy->name() == name) return policy;
    known += (known.empty() ? "" : ", ") + std::string(policy->name());
  }
  return Error(ErrorCode::kInvalidArgument,
               "policy \"" + std::string(name) + "\" is unknown; it must be one of " + known);
}

}  // namespace rsd
