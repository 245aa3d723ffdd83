#include "rsd/agent/agent_input.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "agent/pair_features.h"
#include "agent/replay_view.h"
#include "agent/round_view.h"
#include "rsd/core/check.h"
#include "rsd/decode/policies.h"

namespace rsd {
namespace {

constexpr std::size_t kBands = 6;  // overlapping parts of the rows, first to last

constexpr auto kFeatureNames = std::to_array<std::string_view>({
    // Features of the item.
    "first row",            // log-probability at the first disagreement
    "first row, rank",      // its rank among the items, -1 best to 1 worst; likewise below
    "mean",                 // log-probability, mean over the rows
    "mean, rank",           //
    "choice",               // log-probability among the unplaced items, mean over the rows
    "choice, late",         // the same, weighted towards the rows just before its own
    "own row",              // log-probability among the unplaced items, at the row where it was
                            // proposed
    "own row, margin",      // its logit less the strongest rival's there
    "row before",           // its logit less that of the item proposed one place before it, at that
                            // item's row
    "two rows before",      // the same, two places before
    "next item",            // logit of the item proposed after it less its own, at its own row
    "preferred",            // mean preference over the others
    "preferred, rank",      //
    "preferred, all rows",  // the same, with equal weights for the rows
    "preferred, soft",      // the same, with a higher temperature
    "argmax, rank",         // placing the best unplaced item, row by row
    "proposed, rank",       //
    "all rows 1", "all rows 2", "all rows 3", "all rows 4", "all rows 5", "all rows 6",
    "rows left 1", "rows left 2", "rows left 3", "rows left 4", "rows left 5", "rows left 6",
    "row is left 1", "row is left 2", "row is left 3", "row is left 4", "row is left 5",
    "row is left 6",
    // Features of the item from replays of `ar` over all rounds; the same in each round.
    "replay, rank",        //
    "replay, broad rank",  // with more equal weights for the rows; likewise below
    "replay, sharp rank",  // with almost only the nearest rows
    "replay, choice",      // log-probability among the unplaced items, at the row where it is
                           // placed
    "replay, lead",        // its logit less the strongest rival's there
    "replay, behind",      // its logit less that of the item placed before it, at that item's row
    "replay, likeness",    // of the nearest encoded prefix, at the row where it is placed
    // Features of the round.
    "rounds ago",        //
    "last round",        // 0 or 1; likewise below
    "without proposal",  //
    "entropy",           // of the first row, relative to its maximum
    "mean entropy",      //
    "items",             // number of pending items: log2 / 4
    "share known",       // known share of all items
    "encodings left",    //
    "no budget",         //
    "answer",            // the order is the answer and is not encoded any more
});

float clamp_to(double value, double limit) {
  return static_cast<float>(std::clamp(value, -limit, limit));
}
// Scales log-probabilities and differences of logits to the network's range.
float scaled(double nats) {
  return clamp_to(nats / 3, 4);
}

// Ranks by descending score, ties by order: -1 for the best, 1 for the worst.
std::vector<float> ranks(const std::vector<double>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t i) { return scores[i]; });
  std::vector<float> result(scores.size());
  const auto last = static_cast<float>(std::max<std::size_t>(scores.size(), 2) - 1);
  for (std::size_t place = 0; place < order.size(); ++place)
    result[order[place]] = 2 * static_cast<float>(place) / last - 1;
  return result;
}

// Standardises to mean 0 and variance 1; all 0 if there is no variance.
std::vector<float> standardised(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double variance = 0;
  for (const double value : values)
    variance += (value - mean) * (value - mean) / count;
  const double scale = variance > 1e-12 ? 1 / std::sqrt(variance) : 0;
  std::vector<float> result;
  result.reserve(values.size());
  for (const double value : values)
    result.push_back(static_cast<float>((value - mean) * scale));
  return result;
}

double mean_log_prob(const RoundView& view, std::size_t item) {
  double sum = 0;
  for (std::size_t j = 0; j < view.n_rows(); ++j)
    sum += view.log_prob(j, item);
  return sum / static_cast<double>(view.n_rows());
}

double mean_choice(const RoundView& view, std::size_t item, double recency) {
  double sum = 0;
  double weights = 0;
  for (std::size_t j = 0; j < view.n_rows() && view.is_left(j, item); ++j) {
    sum = recency * sum + view.choice_log_prob(j, item);
    weights = recency * weights + 1;
  }
  return weights > 0 ? sum / weights : 0;
}

// The entropy of the distribution over all items, relative to its maximum.
float entropy(const RoundView& view, std::size_t row) {
  if (view.n_items() < 2) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < view.n_items(); ++i)
    sum -= std::exp(view.log_prob(row, i)) * view.log_prob(row, i);
  return static_cast<float>(sum / std::log(static_cast<double>(view.n_items())));
}

float mean_entropy(const RoundView& view) {
  float sum = 0;
  for (std::size_t j = 0; j < view.n_rows(); ++j)
    sum += entropy(view, j);
  return sum / static_cast<float>(view.n_rows());
}

// Like the heuristic `argmax`, but starting with the row of the first disagreement, whose item is
// known: an item's score is given by the row at which it is the best unplaced one.
std::vector<double> argmax_scores(const RoundView& view) {
  std::vector<bool> placed(view.n_items(), false);
  std::vector<double> scores(view.n_items());
  const std::size_t last = view.n_rows() - 1;
  for (std::size_t i = 0; i < view.n_items(); ++i)  // below all items that get a row
    scores[i] = view.log_prob(last, i) - 1e6;
  for (std::size_t j = 0; j < std::min(view.n_rows(), view.n_items()); ++j) {
    std::size_t best = view.n_items();
    for (std::size_t i = 0; i < view.n_items(); ++i)
      if (!placed[i] && (best == view.n_items() || view.logit(j, i) > view.logit(j, best)))
        best = i;
    placed[best] = true;
    scores[best] = -static_cast<double>(j);
  }
  return scores;
}

// The tokens of one round.
class RoundTokens {
 public:
  explicit RoundTokens(const RoundView& view)
      : view_(view),
        recent_(view, kRecency),
        even_(view, 1),
        values_(view.n_items() * kFeatureNames.size()),
        next_(view.n_items(), 0) {}

  // [n, features]
  std::vector<float> take() {
    for (const std::size_t count : next_)
      RSD_CHECK(count == kFeatureNames.size(), "a value for each feature");
    return std::move(values_);
  }

  void add_item_features(const std::vector<float>& preferences) {
    std::vector<double> first_row(n()), mean(n()), preferred(n()), proposed(n());
    for (std::size_t i = 0; i < n(); ++i) {
      first_row[i] = view_.log_prob(0, i);
      mean[i] = mean_log_prob(view_, i);
      preferred[i] = mean_of_row(preferences, i);
      proposed[i] = -static_cast<double>(view_.place(i));
    }
    add_with_rank(first_row, scaled);
    add_with_rank(mean, scaled);
    for (std::size_t i = 0; i < n(); ++i) {
      add(i, scaled(mean_choice(view_, i, 1)));
      add(i, scaled(mean_choice(view_, i, kRecency)));
      add_own_row(i);
    }
    add_with_rank(preferred, [](double value) { return static_cast<float>(value); });
    for (std::size_t i = 0; i < n(); ++i) {
      add(i, static_cast<float>(mean_preference(i, even_, kTemperature)));
      add(i, static_cast<float>(mean_preference(i, recent_, 4 * kTemperature)));
    }
    add_all(ranks(argmax_scores(view_)));
    // Without a proposal the places are the input order, which the agent must not see.
    add_all(view_.has_proposal() ? ranks(proposed) : std::vector<float>(n(), 0.0F));
    for (std::size_t i = 0; i < n(); ++i)
      add_bands(i);
  }

  void add_replays(const Replays& replays) {
    for (const ReplayView* view : {&replays.usual, &replays.broad, &replays.sharp}) {
      std::vector<double> scores(n());
      for (std::size_t i = 0; i < n(); ++i)
        scores[i] = -static_cast<double>(view->place(i));
      add_all(ranks(scores));
    }
    const ReplayView& usual = replays.usual;
    for (std::size_t i = 0; i < n(); ++i) {
      add(i, scaled(usual.choice_log_prob(i)));
      add(i, scaled(usual.lead(i)));
      add(i, scaled(usual.behind(i)));
      add(i, static_cast<float>(usual.likeness(usual.place(i))));
    }
  }

  // The same for all items of the round.
  void add_round_features(std::initializer_list<float> values) {
    for (const float value : values)
      add_all(std::vector<float>(n(), value));
  }

  // [n, n]: tanh of the margins.
  std::vector<float> preferences() const {
    std::vector<float> result(n() * n(), 0.0F);
    for (std::size_t a = 0; a < n(); ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        const double value = std::tanh(recent_(a, b) / kTemperature);
        result[a * n() + b] = static_cast<float>(value);
        result[b * n() + a] = -static_cast<float>(value);
      }
    }
    return result;
  }

  // With equal weights for the rows.
  const Margins& margins() const { return even_; }

 private:
  // The constants of the heuristic `pairwise` (decode/policies.cpp).
  static constexpr double kRecency = 0.4;
  static constexpr double kTemperature = 0.5;

  std::size_t n() const { return view_.n_items(); }

  void add(std::size_t item, float value) {
    values_[item * kFeatureNames.size() + next_[item]++] = value;
  }
  void add_all(const std::vector<float>& of_items) {
    for (std::size_t i = 0; i < n(); ++i)
      add(i, of_items[i]);
  }
  template <class Scale>
  void add_with_rank(const std::vector<double>& values, Scale scale) {
    const auto rank = ranks(values);
    for (std::size_t i = 0; i < n(); ++i) {
      add(i, scale(values[i]));
      add(i, rank[i]);
    }
  }

  // Features at the item's own place in the proposal, and relative to its neighbours there.
  void add_own_row(std::size_t item) {
    const std::size_t own = view_.own_row(item);
    const bool is_left = view_.is_left(own, item);
    const double logit = view_.logit(own, item);
    add(item, is_left ? scaled(view_.choice_log_prob(own, item)) : 0);
    add(item, is_left ? scaled(logit - view_.strongest_rival(own, item)) : 0);
    for (const std::size_t distance : {1U, 2U}) {
      const bool exists = view_.has_proposal() && view_.place(item) >= distance;
      add(item,
          exists ? scaled(margin_at_row_of(view_.item_at(view_.place(item) - distance), item)) : 0);
    }
    const bool has_next = view_.has_proposal() && view_.place(item) + 1 < n();
    add(item, has_next ? scaled(margin_at_row_of(item, view_.item_at(view_.place(item) + 1))) : 0);
  }
  // logit of `item` less that of `owner`, at the row of owner's place in the proposal.
  double margin_at_row_of(std::size_t owner, std::size_t item) const {
    const std::size_t row = view_.own_row(owner);
    return view_.logit(row, item) - view_.logit(row, owner);
  }

  double mean_preference(std::size_t item, const Margins& margins, double temperature) const {
    double sum = 0;
    for (std::size_t other = 0; other < n(); ++other)
      if (other != item) sum += std::tanh(margins(item, other) / temperature);
    return sum / static_cast<double>(std::max<std::size_t>(n(), 2) - 1);
  }
  double mean_of_row(const std::vector<float>& matrix, std::size_t item) const {
    const float* row = matrix.data() + item * n();
    return std::accumulate(row, row + n(), 0.0) /
           static_cast<double>(std::max<std::size_t>(n(), 2) - 1);
  }

  // Means over bands of rows: weights fall with the distance from the middle of the band.
  void add_bands(std::size_t item) {
    std::array<double, kBands> all{}, left{}, weight_all{}, weight_left{};
    const auto rows = static_cast<double>(view_.n_rows());
    for (std::size_t j = 0; j < view_.n_rows(); ++j) {
      const double where = rows > 1 ? static_cast<double>(j) / (rows - 1) : 0;
      for (std::size_t band = 0; band < kBands; ++band) {
        const double distance = where * (kBands - 1) - static_cast<double>(band);
        const double weight = std::exp(-distance * distance);
        all[band] += weight * view_.log_prob(j, item);
        weight_all[band] += weight;
        if (!view_.is_left(j, item)) continue;
        left[band] += weight * view_.choice_log_prob(j, item);
        weight_left[band] += weight;
      }
    }
    for (std::size_t band = 0; band < kBands; ++band)
      add(item, scaled(all[band] / weight_all[band]));
    constexpr double kLittle = 1e-3;
    for (std::size_t band = 0; band < kBands; ++band)
      add(item, weight_left[band] > kLittle ? scaled(left[band] / weight_left[band]) : 0);
    for (std::size_t band = 0; band < kBands; ++band)
      add(item, static_cast<float>(weight_left[band] / weight_all[band]));
  }

  const RoundView& view_;
  Margins recent_, even_;
  std::vector<float> values_;
  std::vector<std::size_t> next_;
};

// The rows that the replays use.
std::vector<PrefixRow> replay_rows(std::span<const Round> rounds, bool listwise) {
  if (listwise) return distinct_rows(rounds);
  const Round& last = rounds.back();
  const std::size_t row = std::min(last.accepted, last.logits.n_rows() - 1);
  return {{.prefix = std::span(last.proposal).first(row), .logits = last.logits.row(row)}};
}

// The history of a decoding whose only encoding was the last one.
History last_round_of(const History& history) {
  const Round& last = history.rounds().back();
  History alone(history.n_items());
  const auto added = alone.add(last.proposal, {0, last.logits.n_rows()}, last.logits);
  RSD_CHECK(added.ok(), "a round that was taken in before");
  return alone;
}

// The sum of an item's places under the replay and under the parts of `blend`. Without `listwise`,
// the order of the first disagreement's row.
std::vector<float> base_order(const History& history, const ReplayView& replayed,
                              std::span<const ItemId> open, bool listwise) {
  const auto heuristic = listwise ? blend_policy() : first_disagreement_policy();
  const auto scores = heuristic->score(history, std::nullopt);
  RSD_CHECK(scores.ok(), "a heuristic can't fail");
  constexpr double kReplayed = 3.4;  // weighs about as much as the three parts of `blend`; not an
                                     // integer, so that ties are rare
  std::vector<double> of_open(open.size());
  for (std::size_t i = 0; i < open.size(); ++i) {
    of_open[i] = (*scores)[open[i].slot()];
    if (listwise) of_open[i] -= kReplayed * static_cast<double>(replayed.place(i));
  }
  return standardised(of_open);
}

}  // namespace

std::span<const std::string_view> feature_names() {
  return kFeatureNames;
}

AgentInput agent_input(const History& history, std::optional<std::size_t> encodings_left,
                       const InputOptions& options) {
  RSD_CHECK(!history.rounds().empty() && options.max_rounds >= 1, "a history with rounds");
  AgentInput input;
  for (std::size_t i = 0; i < history.n_items(); ++i)
    if (!history.placed()[i]) input.items.emplace_back(i);
  const std::size_t n = input.n_items();
  RSD_CHECK(n >= 2, "items whose order is not known");

  const bool looks_back = options.round_history && options.listwise;
  input.n_rounds = std::min(looks_back ? options.max_rounds : 1, history.rounds().size());
  const auto rounds = std::span<const Round>(history.rounds()).last(input.n_rounds);
  const Replays replays(replay_rows(rounds, options.listwise), history.known(), input.items);
  for (std::size_t age = input.n_rounds; age-- > 0;) {
    const Round& round = rounds[rounds.size() - 1 - age];
    const std::size_t end = options.listwise ? round.logits.n_rows() : round.accepted + 1;
    const RoundView view(round, input.items, end);
    RoundTokens tokens(view);
    const auto preferences = tokens.preferences();
    tokens.add_item_features(preferences);
    tokens.add_replays(replays);
    tokens.add_round_features(
        {static_cast<float>(age) / 4, age == 0 ? 1.0F : 0.0F, view.has_proposal() ? 0.0F : 1.0F,
         entropy(view, 0), mean_entropy(view), std::log2(static_cast<float>(n)) / 4,
         1 - static_cast<float>(n) / static_cast<float>(history.n_items()),
         static_cast<float>(std::min<std::size_t>(encodings_left.value_or(0), 4)) / 4,
         encodings_left ? 0.0F : 1.0F, encodings_left == 0U ? 1.0F : 0.0F});
    const auto features = tokens.take();
    input.features.insert(input.features.end(), features.begin(), features.end());
    const auto pairs = pair_features(
        {.round = view,
         .margins = tokens.margins(),
         .preferences = preferences,
         .replays = replays},
        {.rounds_ago = static_cast<float>(std::min<std::size_t>(age, 8)) / 4,
         .share_open = static_cast<float>(n) / static_cast<float>(history.n_items())});
    input.pairs.insert(input.pairs.end(), pairs.begin(), pairs.end());
  }
  const auto base_of = [&](const History& seen) {
    return base_order(seen, replays.usual, input.items, options.listwise);
  };
  input.base = looks_back ? base_of(history) : base_of(last_round_of(history));
  return input;
}

}  // namespace rsd
